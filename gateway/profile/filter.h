/* filter.h - a part of a table as a table of its own.
 *
 * Callers   the gateway's thread.
 * Memory    the result is the caller's, who ends it with cprof_table_reset.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_FILTER_H
#define CPROF_FILTER_H

#include <stdbool.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "convert.h"
#include "table.h"

/* How much of a sample is kept. */
enum cprof_filter_detail {
    CPROF_FILTER_ALL,
    /* Neither tags nor lines nor addresses: equal stacks of functions become one. */
    CPROF_FILTER_FUNCTIONS,
};

/* Copies what passes from `table` to `out`, which is initialized here; NULL lets all pass. False:
 * out of memory; `out` is then to be reset all the same. */
bool cprof_filter_apply(struct cprof_table *out, const struct cprof_table *table,
                        const struct cprof_filter *filter, enum cprof_filter_detail detail,
                        struct cprof_error *error) CPROF_MUST_USE;

#endif
