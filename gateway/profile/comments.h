/* comments.h - what a profile says of itself in its comments: who made it, by which engine, over
 * which window, and how the figures add up. People read them with `go tool pprof -comments`.
 *
 * Callers   the gateway's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_COMMENTS_H
#define CPROF_COMMENTS_H

#include <stdint.h>

#include "../../shared/base/config.h"
#include "log_reader.h"
#include "table.h"

/* The sums of the slots that were merged into a profile; zeros at first. */
struct cprof_totals {
    uint64_t counters[CPROF_COUNTER_COUNT];
    uint64_t timer_raw_ns; /* the ticks of timers, a sample of all CPU time */
    uint64_t extra_ns;     /* kernel time outside system calls */
    uint64_t rejected;     /* what made no sense */
};

void cprof_totals_add(struct cprof_totals *totals, const struct cprof_log_view *view,
                      uint64_t extra_ns);

/* Program, server, service, instance and window: the first comments. */
void cprof_comment_on_window(struct cprof_table *table, const struct cprof_config *config,
                             const struct cprof_window *window);

/* One line for a slot, "worker 1: ...". extra_ns: kernel time outside system calls. */
void cprof_comment_on_slot(struct cprof_table *table, const struct cprof_log_view *view,
                           const char *slot_name, uint64_t extra_ns);

/* The engine and the sums of all slots: the last comments. Those on the CPU engine stand in wall
 * profiles, too, which hold its samples. */
void cprof_comment_on_totals(struct cprof_table *table, const struct cprof_totals *totals);

#endif
