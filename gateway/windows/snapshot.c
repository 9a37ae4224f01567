/* snapshot.c - see snapshot.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "snapshot.h"

#include <stdlib.h>

/* Keeps what the view says; its log is not needed any more. */
static bool keep(struct cprof_snapshot_slot *slot, const struct cprof_log_view *view)
{
    slot->counters = *view;
    slot->counters.bytes = slot->counters.types = NULL;
    slot->counters.stacks = slot->counters.mappings = NULL;
    slot->stacks = calloc(view->stack_count + 1, sizeof(*slot->stacks));
    if (!slot->stacks) {
        return false;
    }
    for (size_t i = 0; i < view->stack_count; i++) {
        slot->stacks[i] = (struct cprof_log_base){
            .ref = view->stacks[i],
            .numbers = cprof_log_numbers(view, view->stacks[i]),
        };
    }
    slot->stack_count = view->stack_count;
    return true;
}

static bool take_slot(struct cprof_snapshot *snapshot, const struct cprof_segment *segment,
                      uint32_t slot_index, uint32_t epoch, struct cprof_error *error)
{
    struct cprof_log_view view;
    bool ok = cprof_log_read(&view, segment, slot_index, epoch, error);

    if (ok && !keep(&snapshot->slots[slot_index], &view)) {
        ok = cprof_fail(error, "no memory to note the samples of slot %u", slot_index);
    }
    cprof_log_view_reset(&view);
    return ok;
}

bool cprof_snapshot_take(struct cprof_snapshot *snapshot, const struct cprof_segment *segment,
                         uint32_t epoch, struct cprof_error *error)
{
    *snapshot = (struct cprof_snapshot){0};
    snapshot->slots = calloc(segment->slot_count, sizeof(*snapshot->slots));
    if (!snapshot->slots) {
        return cprof_fail(error, "no memory to note the samples of %u slots", segment->slot_count);
    }
    snapshot->slot_count = segment->slot_count;
    for (uint32_t i = 0; i < segment->slot_count; i++) {
        if (!take_slot(snapshot, segment, i, epoch, error)) {
            cprof_snapshot_reset(snapshot);
            return false;
        }
    }
    return true;
}

void cprof_snapshot_reset(struct cprof_snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->slot_count; i++) {
        free(snapshot->slots[i].stacks);
    }
    free(snapshot->slots);
    *snapshot = (struct cprof_snapshot){0};
}

void cprof_snapshot_subtract(const struct cprof_snapshot *snapshot, struct cprof_log_view *view)
{
    if (view->slot_index < snapshot->slot_count) {
        const struct cprof_snapshot_slot *slot = &snapshot->slots[view->slot_index];

        cprof_log_subtract(view, &slot->counters, slot->stacks, slot->stack_count);
    }
}

void cprof_snapshot_cut(const struct cprof_snapshot *snapshot, struct cprof_log_view *view)
{
    if (view->slot_index < snapshot->slot_count) {
        const struct cprof_snapshot_slot *slot = &snapshot->slots[view->slot_index];

        cprof_log_cut(view, &slot->counters, slot->stacks, slot->stack_count);
    }
}
