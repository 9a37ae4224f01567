/* difference.h - where the time of two profiles went, function by function, side by side.
 *
 * Callers   the gateway's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_DIFFERENCE_H
#define CPROF_DIFFERENCE_H

#include "../../shared/base/attributes.h"
#include "table.h"

/* Functions with equal shares in both, and those beyond this many, are left out. */
#define CPROF_DIFFERENCE_ROWS_MAX 500u

/* The JSON text that cprof_convert_difference describes, malloc'd and the caller's; NULL without
 * memory. */
char *cprof_difference_write(const struct cprof_table *before,
                             const struct cprof_table *after) CPROF_MUST_USE;

#endif
