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
#include "slot_sums.h"
#include "table.h"

/* What a window's profile was made of. */
struct cprof_window_parts {
    unsigned count;  /* 1: the logs were not given back before it ended */
    uint64_t gap_ns; /* between them, in all: nobody sampled, and the duration is without it */
    uint32_t flags;  /* enum cprof_window_flag */
};

/* Program, server, service, instance and window: the first comments. */
void cprof_comment_on_window(struct cprof_table *table, const struct cprof_config *config,
                             const struct cprof_window_parts *parts);

/* One line for each slot, "worker 1: ...", then the engine and the sums of all slots: the last
 * comments. Those on the CPU engine stand in wall profiles, too, which hold its samples. */
void cprof_comment_on_slots(struct cprof_table *table, const struct cprof_slot_sums *sums);

#endif
