/* assets.h - the page's own files, from config->web_dir.
 *
 * Callers   the gateway's thread. Files are opened as they are asked for; nothing is kept.
 * Names     flat and plain: no '/', no leading dot, and an ending that is known. Symbolic links are
 *           not followed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_ASSETS_H
#define CPROF_WEB_ASSETS_H

#include <stdbool.h>

#include "request.h"

/* Is "/", or "/NAME" with a name that a file of the page may have? */
bool cprof_web_is_asset(const char *path);

/* Answers with the file behind such a path, or that there is none. */
void cprof_web_send_asset(struct cprof_web_request *request, const char *directory,
                          const char *path);

#endif
