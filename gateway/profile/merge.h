/* merge.h - the logs of all slots become one profile.
 *
 * Callers   harvest.c, for one window: begin, each slot, end. One thread.
 * Numbers   each slot's values are reconciled with its process's CPU clock, so that the profile's
 *           total is CPU time that was used; what was found by the engine itself stands in the
 *           comments. Counts are never changed.
 * Memory    the table is the caller's; what a slot needs while it is merged is freed at once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_MERGE_H
#define CPROF_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../plugin/base/attributes.h"
#include "../../plugin/base/config.h"
#include "../../plugin/base/error.h"
#include "../../plugin/share/layout.h"
#include "log_reader.h"
#include "table.h"

/* One profile under way. Fields are private. */
struct cprof_merge {
    struct cprof_table *table;
    const struct cprof_config *config;
    uint32_t kinds;
    uint64_t window_cpu_ns_max; /* more CPU time no process can use in the window */
    uint64_t samples, raw_ns, clock_ns, ticker_ns, missed_ns, log_full, rejected;
    uint64_t perf_ns, system_call_ns, extra_ns, perf_refused;
    uint64_t missed[CPROF_MISS_COUNT];
};

/* Starts the profile of `window`, which has been checked, in an empty table. config and table
 * are borrowed until the end. */
void cprof_merge_begin(struct cprof_merge *merge, struct cprof_table *table,
                       const struct cprof_config *config, const struct cprof_window *window);

/* Adds one slot. */
bool cprof_merge_slot(struct cprof_merge *merge, struct cprof_log_view *view,
                      struct cprof_error *error) CPROF_MUST_USE;

/* Adds the comments with the totals. False if the table ran out of memory at any time. */
bool cprof_merge_end(struct cprof_merge *merge, struct cprof_error *error) CPROF_MUST_USE;

#endif
