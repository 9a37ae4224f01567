/* snapshot.h - what the logs of an epoch said when a window opened beside others.
 *
 * Records never move within an epoch and what they count only grows, so that the difference of
 * two looks is what was sampled between them.
 *
 * Callers   the gateway's thread.
 * Memory    32 bytes for each stack that said something, and the counters of each slot; owned. Of a
 *           slot whose stacks would be beyond the caller's bound the sums alone are noted: in the
 *           difference all of its stacks are one sum, too.
 * Time      is cut into steps of one slot each.
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
    uint32_t epoch;
    uint32_t slot_count; /* 0: not begun */
    uint32_t next_slot;
    size_t bytes; /* of slots and stacks */
};

/* How much may be used. */
struct cprof_snapshot_bounds {
    uint64_t log_bytes; /* of each log that are read stack by stack, as when profiles are made */
    size_t bytes;       /* for stacks, of this snapshot */
};

/* Reads the log of the next slot in `epoch`; the first call begins. What was read of another epoch
 * is dropped: it begins anew. False without memory: the
 * snapshot is zero then. The caller ends it with cprof_snapshot_reset, which makes it zero. */
bool cprof_snapshot_step(struct cprof_snapshot *snapshot, const struct cprof_segment *segment,
                         uint32_t epoch, const struct cprof_snapshot_bounds *bounds,
                         struct cprof_error *error) CPROF_MUST_USE;
/* Was the last slot read? */
bool cprof_snapshot_is_whole(const struct cprof_snapshot *snapshot);

/* All steps at once, without bounds. */
bool cprof_snapshot_take(struct cprof_snapshot *snapshot, const struct cprof_segment *segment,
                         uint32_t epoch, struct cprof_error *error) CPROF_MUST_USE;
void cprof_snapshot_reset(struct cprof_snapshot *snapshot);

/* Takes what the snapshot says of the view's slot off the view, which is of the same epoch. */
void cprof_snapshot_subtract(const struct cprof_snapshot *snapshot, struct cprof_log_view *view);

/* Makes the view, which is of the same epoch, what the snapshot says: what its slot counted since
 * is not there. */
void cprof_snapshot_cut(const struct cprof_snapshot *snapshot, struct cprof_log_view *view);

#endif
