/* read_file.h - a whole regular file in a directory.
 *
 * Callers   waits for as long as the disk takes: the side thread for files and, for the page's own
 *           files beside the plugin, the gateway's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_READ_FILE_H
#define CPROF_WEB_READ_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"

/* Reads directory/name, which is a name and no path, of at most bytes_max bytes, into memory that
 * the caller frees. False: there is no such regular file (links are not followed), it is too
 * large, or memory is short. */
bool cprof_web_read_file(uint8_t **bytes, size_t *byte_count, const char *directory,
                         const char *name, size_t bytes_max) CPROF_MUST_USE;

#endif
