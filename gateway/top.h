/* top.h - the command --top: prints profiles that were written, merged, as text.
 *
 * Callers   a program that only reads files.
 * Trust     files may come from anybody; see profile/pprof.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_TOP_H
#define CPROF_TOP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../shared/base/attributes.h"
#include "../shared/base/error.h"

/* Prints the report of `path_count` files to out; the error names the file that is wrong. */
bool cprof_top(FILE *out, char *const *paths, int path_count, uint32_t top_count,
               struct cprof_error *error) CPROF_MUST_USE;

#endif
