/* opening.c - see opening.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "opening.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "../../shared/base/log.h"
#include "../../shared/segment/pages.h"
#include "../../shared/segment/window.h"
#include "slots.h"

/* A window that begins beside others misses the samples that are taken until its first look. */
#define SETTLE_WAIT_NS (200 * NS_PER_MS)

/* Returns when to ask again, or 0: a window may open now. While one is being closed or read none
 * may: if no other stands, the next one is then the first of a new epoch and needs no base.
 * Finished windows keep their descriptors for the case of a kill only: they do not keep full logs
 * that the next one would sample into. */
static uint64_t opens_at(struct cprof_windows *windows, uint64_t now_ns)
{
    if (cprof_entries_have(windows, CPROF_STAGE_CLOSING) ||
        cprof_entries_have(windows, CPROF_STAGE_READING) ||
        cprof_entries_have(windows, CPROF_STAGE_PAUSED)) {
        return now_ns + CPROF_SETTLE_LOOK_NS;
    }
    if (!cprof_entries_have(windows, CPROF_STAGE_OPEN) &&
        !cprof_entries_have(windows, CPROF_STAGE_SETTLING) &&
        cprof_slots_are_filling(windows->segment, cprof_entries_epoch(windows))) {
        cprof_entries_take_back(windows, CPROF_STAGE_FINISHED);
    }
    if (!cprof_entries_standing_mask(windows)) {
        cprof_entries_recycle(windows, now_ns);
        return windows->fresh ? 0 : now_ns + CPROF_SETTLE_LOOK_NS;
    }
    return 0;
}

/* What stands in the mask is known here; anything else was scribbled by somebody. */
static void repair_mask(struct cprof_windows *windows)
{
    uint32_t mask = cprof_entries_standing_mask(windows);

    if (atomic_exchange(&windows->control->window_mask, mask) != mask) {
        cprof_log(CPROF_LOG_WARNING, "a process wrote to the window mask in shared memory");
    }
}

/* The shortest period of the windows that are open together is used for all. */
static void note_periods(struct cprof_windows *windows, struct cprof_entry *opening)
{
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        struct cprof_entry *other = &windows->entries[i];

        if (other != opening && cprof_entry_is_sampled(other)) {
            other->hurried |= opening->window.period_ns < other->window.period_ns;
            opening->hurried |= other->window.period_ns < opening->window.period_ns;
        }
    }
}

/* Returns its length. Without memory for it the window is as good as any, but of no use to a later
 * gateway. */
static uint32_t leave_ticket(const struct cprof_windows *windows, const struct cprof_entry *entry,
                             int index)
{
    char *text = cprof_segment_tickets(windows->segment)->text[index];

    if (entry->ticket_bytes == 0) {
        return 0;
    }
    if (!cprof_pages_take(text, entry->ticket_bytes)) {
        cprof_log(CPROF_LOG_WARNING, "no shared memory to note what a window is for: %s",
                  strerror(errno));
        return 0;
    }
    memcpy(text, entry->ticket, entry->ticket_bytes);
    return (uint32_t)entry->ticket_bytes;
}

void cprof_opening_publish(struct cprof_windows *windows, struct cprof_entry *entry)
{
    int index = (int)(entry - windows->entries);

    entry->window.ticket_bytes = leave_ticket(windows, entry, index);
    repair_mask(windows);
    cprof_window_open(windows->control, index, &entry->window);
    entry->stands = true;
    note_periods(windows, entry);
    windows->fresh = false;
    cprof_log(CPROF_LOG_DEBUG, "window %u opens for %.1f s", entry->window.id,
              (double)(entry->window.end_ns - entry->window.start_ns) / 1e9);
}

/* It begins now. False: that is too late, and it is lost. */
static bool set_times(struct cprof_windows *windows, struct cprof_entry *entry, bool has_base)
{
    const struct cprof_window_order *order = &entry->order;
    uint64_t now_ns = cprof_now_ns();

    entry->window.start_ns = entry->began_ns = now_ns;
    entry->window.end_ns = order->end_ns ? order->end_ns : now_ns + order->duration_ns;
    entry->window.start_unix_ns = entry->began_unix_ns = cprof_now_unix_ns();
    entry->window.flags = order->flags | (has_base ? (uint32_t)CPROF_WINDOW_HAS_BASE : 0);
    entry->until_ns = entry->window.end_ns;
    if (entry->window.end_ns <= now_ns || now_ns > order->latest_start_ns) {
        cprof_entry_lose(windows, entry, "it had to wait for others until it was too late");
        return false;
    }
    return true;
}

/* Where no slot writes now, the first look comes before the window: nothing is between them. It may
 * take long, so that the time is looked at before and after it. */
static void open_window(struct cprof_windows *windows, struct cprof_entry *entry)
{
    bool has_base = !windows->fresh;
    bool all_still =
        has_base && cprof_slots_have_closed(windows->segment, cprof_entries_epoch(windows));

    if (!set_times(windows, entry, has_base)) {
        return;
    }
    if (!all_still) {
        cprof_snapshot_reset(&entry->base); /* somebody else's window opened meanwhile */
    } else if (cprof_entry_take_snapshot(windows, entry, &entry->base) != CPROF_STEP_DONE ||
               !set_times(windows, entry, has_base)) {
        return;
    }
    cprof_opening_publish(windows, entry);
    entry->stage = has_base && !all_still ? CPROF_STAGE_SETTLING : CPROF_STAGE_OPEN;
    entry->deadline_ns = entry->window.start_ns + SETTLE_WAIT_NS;
    entry->look_ns =
        entry->stage == CPROF_STAGE_SETTLING ? entry->window.start_ns : entry->window.end_ns;
}

void cprof_opening_look_at_waiting(struct cprof_windows *windows, struct cprof_entry *entry,
                                   uint64_t now_ns)
{
    entry->look_ns = opens_at(windows, now_ns);
    if (entry->look_ns == 0 || now_ns > entry->order.latest_start_ns) {
        open_window(windows, entry);
    }
}

void cprof_opening_look_at_settling(struct cprof_windows *windows, struct cprof_entry *entry,
                                    uint64_t now_ns)
{
    if (now_ns < entry->deadline_ns &&
        !cprof_slots_have_settled(windows->segment, cprof_entries_epoch(windows),
                                  entry->window.start_ns)) {
        entry->look_ns = now_ns + CPROF_SETTLE_LOOK_NS;
        return;
    }
    if (cprof_entry_take_snapshot(windows, entry, &entry->base) == CPROF_STEP_DONE) {
        entry->stage = CPROF_STAGE_OPEN;
        entry->look_ns = entry->window.end_ns;
    }
}
