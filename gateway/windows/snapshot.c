/* snapshot.c - see snapshot.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "snapshot.h"

#include <stdlib.h>

#include "../profile/idle.h"

/* `ref` is in view->stacks: of no other one is it known that it may be followed. */
static enum cprof_rest rest_of(const struct cprof_log_view *view, uint32_t ref)
{
    const struct cprof_stack_record *stack = cprof_log_stack(view, ref);

    return stack->kind == CPROF_STACK_ON_CPU     ? CPROF_REST_ON_CPU
           : stack->kind == CPROF_STACK_RUNNABLE ? CPROF_REST_RUNNABLE
           : cprof_stack_is_idle(view, stack)    ? CPROF_REST_IDLE
                                                 : CPROF_REST_OFF_CPU;
}

/* All stacks become sums. */
static void fold(struct cprof_log_view *view)
{
    for (size_t i = 0; i < view->stack_count; i++) {
        struct cprof_log_numbers numbers = cprof_log_numbers(view, view->stacks[i]);

        cprof_log_add_to_rest(view, rest_of(view, view->stacks[i]), &numbers);
    }
    view->stack_count = 0;
    view->is_folded = true;
}

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
            .rest = rest_of(view, view->stacks[i]),
            .numbers = cprof_log_numbers(view, view->stacks[i]),
        };
    }
    slot->stack_count = view->stack_count;
    return true;
}

static bool take_slot(struct cprof_snapshot *snapshot, const struct cprof_segment *segment,
                      uint32_t epoch, const struct cprof_snapshot_bounds *bounds,
                      struct cprof_error *error)
{
    uint32_t slot_index = snapshot->next_slot++;
    struct cprof_log_view view;
    bool ok = cprof_log_read_part(&view, segment, slot_index, epoch, bounds->log_bytes, error);
    size_t left = bounds->bytes > snapshot->bytes ? bounds->bytes - snapshot->bytes : 0;

    if (ok && view.stack_count > left / sizeof(struct cprof_log_base)) {
        fold(&view);
    }
    if (ok && !keep(&snapshot->slots[slot_index], &view)) {
        ok = cprof_fail(error, "no memory to note the samples of slot %u", slot_index);
    }
    snapshot->bytes += view.stack_count * sizeof(struct cprof_log_base);
    cprof_log_view_reset(&view);
    return ok;
}

bool cprof_snapshot_is_whole(const struct cprof_snapshot *snapshot)
{
    return snapshot->slot_count > 0 && snapshot->next_slot == snapshot->slot_count;
}

bool cprof_snapshot_step(struct cprof_snapshot *snapshot, const struct cprof_segment *segment,
                         uint32_t epoch, const struct cprof_snapshot_bounds *bounds,
                         struct cprof_error *error)
{
    if (snapshot->epoch != epoch) {
        cprof_snapshot_reset(snapshot);
    }
    if (snapshot->slot_count == 0) {
        snapshot->slots = calloc(segment->slot_count, sizeof(*snapshot->slots));
        if (!snapshot->slots) {
            return cprof_fail(error, "no memory to note the samples of %u slots",
                              segment->slot_count);
        }
        snapshot->slot_count = segment->slot_count;
        snapshot->epoch = epoch;
        snapshot->bytes = segment->slot_count * sizeof(*snapshot->slots);
    }
    if (!cprof_snapshot_is_whole(snapshot) && !take_slot(snapshot, segment, epoch, bounds, error)) {
        cprof_snapshot_reset(snapshot);
        return false;
    }
    return true;
}

bool cprof_snapshot_take(struct cprof_snapshot *snapshot, const struct cprof_segment *segment,
                         uint32_t epoch, struct cprof_error *error)
{
    const struct cprof_snapshot_bounds bounds = {.log_bytes = segment->log_bytes,
                                                 .bytes = SIZE_MAX};

    *snapshot = (struct cprof_snapshot){0};
    while (!cprof_snapshot_is_whole(snapshot)) {
        if (!cprof_snapshot_step(snapshot, segment, epoch, &bounds, error)) {
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

/* What the slot's listed stacks had, for a view in which all stacks are sums. The log may say
 * anything by now: what they are was noted with them. */
static struct cprof_log_view folded(const struct cprof_snapshot_slot *slot)
{
    struct cprof_log_view sums = slot->counters;

    for (size_t i = 0; i < slot->stack_count; i++) {
        cprof_log_add_to_rest(&sums, (enum cprof_rest)slot->stacks[i].rest,
                              &slot->stacks[i].numbers);
    }
    return sums;
}

void cprof_snapshot_subtract(const struct cprof_snapshot *snapshot, struct cprof_log_view *view)
{
    const struct cprof_snapshot_slot *slot;
    struct cprof_log_view sums;

    if (view->slot_index >= snapshot->slot_count) {
        return;
    }
    slot = &snapshot->slots[view->slot_index];
    if (slot->counters.is_folded) {
        fold(view);
    }
    if (view->is_folded) {
        sums = folded(slot);
        cprof_log_subtract(view, &sums, NULL, 0);
    } else {
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
