/* read_profile.h - a profile from a file that somebody names.
 *
 * Callers   a program that only reads files.
 * Trust     files may come from anybody; see profile/pprof.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_READ_PROFILE_H
#define CPROF_READ_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../shared/base/attributes.h"
#include "../shared/base/error.h"

/* Reads the whole regular file, of 1 byte to CPROF_PPROF_FILE_BYTES_MAX, into memory that the
 * caller frees. What stands in it is not looked at. The error names the file. */
bool cprof_read_profile(uint8_t **bytes, size_t *byte_count, const char *path,
                        struct cprof_error *error) CPROF_MUST_USE;

#endif
