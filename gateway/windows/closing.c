/* closing.c - see closing.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "closing.h"

#include "../../shared/segment/window.h"
#include "parts.h"
#include "slots.h"

/* One that ended, too, may get samples until the slots know it. */
static bool still_samples(const struct cprof_windows *windows, const struct cprof_entry *entry)
{
    return cprof_entry_is_sampled(entry) &&
           (cprof_now_ns() < entry->window.end_ns ||
            !cprof_slots_have_settled(windows->segment, cprof_entries_epoch(windows),
                                      entry->window.end_ns));
}

static bool others_sample(const struct cprof_windows *windows, const struct cprof_entry *entry)
{
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (&windows->entries[i] != entry && still_samples(windows, &windows->entries[i])) {
            return true;
        }
    }
    return false;
}

static void begin_reading(struct cprof_windows *windows, struct cprof_entry *entry)
{
    const struct cprof_harvest_source source = {
        .segment = windows->segment,
        .config = windows->config,
        .window = &entry->window,
        .base = &entry->base,
        .end = entry->end.slot_count > 0 ? &entry->end : NULL,
        .symbols = windows->symbols,
        .table_bytes = cprof_parts_table_bytes(windows, entry),
    };
    struct cprof_error error;

    if (entry->making) {
        cprof_making_next_part(entry->making, &source);
    } else {
        entry->making = cprof_making_begin(&source, &error);
    }
    if (!entry->making) {
        cprof_entry_lose(windows, entry, error.text);
        return;
    }
    if (!entry->goes_on) {
        cprof_making_complete(entry->making);
    }
    entry->stage = CPROF_STAGE_READING;
    entry->look_ns = 0;
}

/* For a while; the loop then answers others. */
void cprof_closing_look_at_reading(struct cprof_windows *windows, struct cprof_entry *entry)
{
    uint64_t until_ns = cprof_now_ns() + CPROF_TURN_NS;
    enum cprof_step step = CPROF_STEP_MORE;
    struct cprof_error error;

    while (step == CPROF_STEP_MORE && cprof_now_ns() < until_ns) {
        step = cprof_making_step(entry->making, &error);
    }
    entry->look_ns = 0;
    if (step == CPROF_STEP_FAILED) {
        cprof_entry_lose(windows, entry, error.text);
    } else if (step == CPROF_STEP_DONE && entry->goes_on) {
        cprof_parts_pause(entry);
    } else if (step == CPROF_STEP_DONE) {
        cprof_entry_finish(windows, entry);
    }
}

/* Where others sample on, what they add until this second look is in this window, too. */
static bool take_end(struct cprof_windows *windows, struct cprof_entry *entry)
{
    return (entry->end.slot_count == 0 && !others_sample(windows, entry)) ||
           cprof_entry_take_snapshot(windows, entry, &entry->end) == CPROF_STEP_DONE;
}

void cprof_closing_begin(struct cprof_entry *entry, uint64_t now_ns)
{
    entry->stage = CPROF_STAGE_CLOSING;
    entry->deadline_ns = now_ns + CPROF_CLOSE_WAIT_NS;
    entry->look_ns = now_ns;
}

/* Do the slots know that it has ended? For a part all of them close their logs. */
static bool is_closed(const struct cprof_windows *windows, const struct cprof_entry *entry)
{
    uint32_t epoch = cprof_entries_epoch(windows);

    return entry->goes_on ? cprof_slots_have_closed(windows->segment, epoch)
                          : cprof_slots_have_settled(windows->segment, epoch, entry->window.end_ns);
}

void cprof_closing_look_at_closing(struct cprof_windows *windows, struct cprof_entry *entry,
                                   uint64_t now_ns)
{
    bool is_alone =
        cprof_entries_standing_mask(windows) == 1u << (entry - windows->entries) && !entry->goes_on;

    if (now_ns < entry->deadline_ns && !is_closed(windows, entry)) {
        entry->look_ns = now_ns + (is_alone ? CPROF_CLOSE_LOOK_NS : CPROF_SETTLE_LOOK_NS);
        return;
    }
    if (!take_end(windows, entry)) {
        return;
    }
    if (cprof_entries_have(windows, CPROF_STAGE_READING) || cprof_left_has_more(&windows->left)) {
        entry->look_ns = now_ns + CPROF_SETTLE_LOOK_NS;
        return;
    }
    begin_reading(windows, entry);
}
