/* snapshot.h - what the logs of an epoch said when a window opened beside others.
 *
 * Records never move within an epoch and what they count only grows, so that the difference of
 * two looks is what was sampled between them.
 *
 * Callers   the gateway's thread.
 * Memory    32 bytes for each stack that said something, and the counters of each slot; owned.
 * Trust     none: what stands in the logs is read by profile/log_reader.h, and no difference
 *           becomes less than 0.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SNAPSHOT_H
#define CPROF_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "../../shared/segment/segment.h"
#include "../profile/log_reader.h"

/* One slot. Fields are private. */
struct cprof_snapshot_slot {
    struct cprof_log_view counters; /* nothing but those */
    struct cprof_log_base *stacks;  /* in the order of their references */
    size_t stack_count;
};

/* Zero: nothing was counted yet. Fields are private. */
struct cprof_snapshot {
    struct cprof_snapshot_slot *slots;
    uint32_t slot_count;
};

/* Reads the logs of all slots in `epoch`. The caller ends it with cprof_snapshot_reset, which
 * makes it zero; after an error it is zero already. */
bool cprof_snapshot_take(struct cprof_snapshot *snapshot, const struct cprof_segment *segment,
                         uint32_t epoch, struct cprof_error *error) CPROF_MUST_USE;
void cprof_snapshot_reset(struct cprof_snapshot *snapshot);

/* Takes what the snapshot says of the view's slot off the view, which is of the same epoch. */
void cprof_snapshot_subtract(const struct cprof_snapshot *snapshot, struct cprof_log_view *view);

/* Makes the view, which is of the same epoch, what the snapshot says: what its slot counted since
 * is not there. */
void cprof_snapshot_cut(const struct cprof_snapshot *snapshot, struct cprof_log_view *view);

#endif
