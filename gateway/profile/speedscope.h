/* speedscope.h - a table in the file format of speedscope, a viewer of flame graphs.
 *
 * Callers   the gateway's thread.
 * Format    https://www.speedscope.app/file-format-schema.json: one sampled profile, in
 *           nanoseconds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SPEEDSCOPE_H
#define CPROF_SPEEDSCOPE_H

#include "../../shared/base/attributes.h"
#include "table.h"

/* The JSON text, malloc'd and the caller's; NULL without memory. */
char *cprof_speedscope_write(const struct cprof_table *table) CPROF_MUST_USE;

#endif
