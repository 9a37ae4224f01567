/* profiles.h - /profiles/: the recent profiles and the files of output-dir, one by one and
 * compared.
 *
 * Callers   the gateway's thread.
 * Files     only such as sinks/directory.h writes, by their names; nothing else in output-dir can
 *           be seen. They are read by the side thread for files: a disk that hangs holds up nobody
 *           but who asks for them, and those for a bounded time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_PROFILES_H
#define CPROF_WEB_PROFILES_H

#include "routes.h"

/* Answers what stands behind "/profiles/" in the path: "" the list, ID or NAME a
 * profile. */
void cprof_web_profiles(const struct cprof_web_site *site, struct cprof_web_request *request,
                        const char *rest);

#endif
