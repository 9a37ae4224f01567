/* entries.c - see entries.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "entries.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "../../shared/segment/window.h"
#include "memory_share.h"
#include "slots.h"

uint32_t cprof_entries_epoch(const struct cprof_windows *windows)
{
    return atomic_load(&windows->control->epoch);
}

uint32_t cprof_entries_standing_mask(const struct cprof_windows *windows)
{
    uint32_t mask = 0;

    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        mask |= windows->entries[i].stands ? 1u << i : 0;
    }
    return mask;
}

bool cprof_entries_have(const struct cprof_windows *windows, enum cprof_stage stage)
{
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (windows->entries[i].stage == stage) {
            return true;
        }
    }
    return false;
}

bool cprof_entry_is_sampled(const struct cprof_entry *entry)
{
    return entry->stage == CPROF_STAGE_SETTLING || entry->stage == CPROF_STAGE_OPEN ||
           entry->stage == CPROF_STAGE_CLOSING;
}

void cprof_entries_wake(struct cprof_windows *windows)
{
    windows->timer.due_ns = 0;
}

void cprof_entry_take_back(struct cprof_windows *windows, struct cprof_entry *entry)
{
    if (entry->stands) {
        cprof_window_close(windows->control, (int)(entry - windows->entries));
        entry->stands = false;
    }
}

void cprof_entries_take_back(struct cprof_windows *windows, enum cprof_stage stage)
{
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (windows->entries[i].stage == stage) {
            cprof_entry_take_back(windows, &windows->entries[i]);
        }
    }
}

/* What was noted of the logs, and what was made of them. */
static void drop_logs(struct cprof_entry *entry)
{
    cprof_making_end(entry->making);
    entry->making = NULL;
    cprof_snapshot_reset(&entry->base);
    cprof_snapshot_reset(&entry->end);
}

void cprof_entry_free(struct cprof_windows *windows, struct cprof_entry *entry)
{
    cprof_entry_take_back(windows, entry);
    drop_logs(entry);
    free(entry->ticket);
    *entry = (struct cprof_entry){.look_ns = CPROF_LOOP_NEVER};
}

void cprof_entries_recycle(struct cprof_windows *windows, uint64_t now_ns)
{
    windows->recycle_look_ns = CPROF_LOOP_NEVER;
    if (windows->fresh || cprof_entries_standing_mask(windows)) {
        return;
    }
    if (now_ns < windows->drained_by_ns &&
        !cprof_slots_have_closed(windows->segment, cprof_entries_epoch(windows))) {
        windows->recycle_look_ns = now_ns + CPROF_CLOSE_LOOK_NS;
        return;
    }
    if (windows->observer.giving_back && windows->recycle_slot == 0) {
        windows->observer.giving_back(windows->observer.context);
    }
    if (!cprof_slots_begin_epoch(windows->segment, &windows->recycle_slot,
                                 cprof_now_ns() + CPROF_TURN_NS)) {
        windows->recycle_look_ns = now_ns;
        cprof_entries_wake(windows);
        return;
    }
    windows->fresh = true;
}

struct cprof_window cprof_entry_whole_window(const struct cprof_entry *entry)
{
    struct cprof_window window = entry->window;

    window.start_ns = entry->began_ns;
    window.start_unix_ns = entry->began_unix_ns;
    return window;
}

/* `harvest` is NULL if the window is lost. The ticket lives as long as the call, whatever the
 * callee does with the handle. */
static void hand_over(struct cprof_windows *windows, struct cprof_entry *entry,
                      struct cprof_harvest *harvest)
{
    const struct cprof_window window = cprof_entry_whole_window(entry);
    char *ticket = entry->ticket;
    const struct cprof_window_result result = {
        .handle = (int)(entry - windows->entries),
        .window = &window,
        .harvest = harvest,
        .adopted = entry->adopted,
        .steady = !entry->adopted && !entry->hurried,
        .ticket = ticket ? ticket : "",
        .ticket_bytes = entry->ticket_bytes,
    };

    entry->ticket = NULL;
    entry->stage = CPROF_STAGE_FINISHED;
    entry->goes_on = false;
    entry->look_ns = CPROF_LOOP_NEVER;
    drop_logs(entry);
    if (windows->observer.finished) {
        windows->observer.finished(windows->observer.context, &result);
    }
    entry->order.finished(entry->order.context, &result);
    free(ticket);
}

void cprof_entry_lose(struct cprof_windows *windows, struct cprof_entry *entry, const char *why)
{
    cprof_left_count_lost(windows->control, &entry->window, why);
    if (entry->stands) {
        cprof_entry_take_back(windows, entry);
        windows->drained_by_ns = cprof_now_ns() + CPROF_CLOSE_WAIT_NS;
    }
    hand_over(windows, entry, NULL);
}

void cprof_entry_finish(struct cprof_windows *windows, struct cprof_entry *entry)
{
    struct cprof_making *making = entry->making;

    entry->making = NULL; /* the callee may give the window back, and order the next one */
    hand_over(windows, entry, cprof_making_harvest(making));
    cprof_making_end(making);
}

/* What is left for a snapshot, which notes something of its own already. */
static struct cprof_snapshot_bounds snapshot_bounds(const struct cprof_windows *windows,
                                                    const struct cprof_snapshot *snapshot)
{
    struct cprof_snapshot_bounds bounds = {
        .log_bytes = cprof_memory_log_bytes(windows->config),
        .bytes = cprof_memory_snapshot_bytes(windows->config),
    };
    size_t used = 0;

    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        used += windows->entries[i].base.bytes + windows->entries[i].end.bytes;
    }
    used -= snapshot->bytes;
    bounds.bytes = bounds.bytes > used ? bounds.bytes - used : 0;
    return bounds;
}

enum cprof_step cprof_entry_take_snapshot(struct cprof_windows *windows, struct cprof_entry *entry,
                                          struct cprof_snapshot *snapshot)
{
    const struct cprof_snapshot_bounds bounds = snapshot_bounds(windows, snapshot);
    uint64_t until_ns = cprof_now_ns() + CPROF_TURN_NS;
    struct cprof_error error;

    while (!cprof_snapshot_is_whole(snapshot)) {
        if (cprof_now_ns() >= until_ns) {
            entry->look_ns = 0;
            return CPROF_STEP_MORE;
        }
        if (!cprof_snapshot_step(snapshot, windows->segment, cprof_entries_epoch(windows), &bounds,
                                 &error)) {
            cprof_entry_lose(windows, entry, error.text);
            return CPROF_STEP_FAILED;
        }
    }
    return CPROF_STEP_DONE;
}
