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

#include "log_reader.h"
#include "merge.h"
#include "table.h"

/* The raw sum of the timer engine, ns: its ticks are a sample of all CPU time, whatever each of
 * them is used for. */
uint64_t cprof_timer_raw_ns(const struct cprof_log_view *view);

/* Program, server, service, instance and window: the first comments. */
void cprof_comment_on_window(const struct cprof_merge *merge);

/* One line for a slot, "worker 1: ...". extra_ns: kernel time outside system calls. */
void cprof_comment_on_slot(const struct cprof_merge *merge, const struct cprof_log_view *view,
                           const char *slot_name, uint64_t extra_ns);

/* The engine and the sums of all slots: the last comments. Those on the CPU engine stand in wall
 * profiles, too, which hold its samples. */
void cprof_comment_on_totals(const struct cprof_merge *merge);

#endif
