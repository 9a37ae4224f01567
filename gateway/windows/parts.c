/* parts.c - see parts.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "parts.h"

#include <stdatomic.h>

#include "../../shared/base/log.h"
#include "../../shared/segment/window.h"
#include "closing.h"
#include "memory_share.h"
#include "opening.h"
#include "slots.h"

#define FILL_LOOK_NS (250 * NS_PER_MS)

/* Where logs fill as fast as they are given back, windows are sampled most of the time all the
 * same. */
#define PART_NS_MIN   NS_PER_S
#define PART_GAPS_MIN 10u

/* Beside it a table has no room for names. */
#define TABLE_BYTES_MIN ((size_t)64 << 10)

/* Its part ends now. The descriptor says so, for a gateway that follows a killed one. */
static void end_part(struct cprof_windows *windows, struct cprof_entry *entry, uint64_t now_ns)
{
    int index = (int)(entry - windows->entries);

    entry->goes_on = true;
    entry->window.end_ns = now_ns;
    cprof_window_close(windows->control, index);
    cprof_window_open(windows->control, index, &entry->window);
    cprof_closing_begin(entry, now_ns);
}

static void cut(struct cprof_windows *windows, uint64_t now_ns)
{
    windows->cut_ns = now_ns;
    atomic_store(&windows->control->epoch_end_ns, now_ns);
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        struct cprof_entry *entry = &windows->entries[i];

        if (entry->stage == CPROF_STAGE_OPEN && now_ns < entry->until_ns) {
            end_part(windows, entry, now_ns);
        }
    }
    cprof_log(CPROF_LOG_DEBUG, "a log is half full: windows that are open go on in another part");
}

void cprof_parts_look(struct cprof_windows *windows, uint64_t now_ns)
{
    if (!cprof_entries_have(windows, CPROF_STAGE_OPEN)) {
        windows->fill_look_ns = CPROF_LOOP_NEVER;
        return;
    }
    if (windows->fill_look_ns != CPROF_LOOP_NEVER && now_ns < windows->fill_look_ns) {
        return;
    }
    windows->fill_look_ns = now_ns + FILL_LOOK_NS;
    if (cprof_slots_let_in(windows->segment)) {
        cprof_window_ring(windows->control);
    }
    if (now_ns >= windows->next_cut_ns &&
        cprof_slots_are_filling(windows->segment, cprof_entries_epoch(windows))) {
        if (cprof_entries_have(windows, CPROF_STAGE_SETTLING)) {
            windows->fill_look_ns = now_ns + CPROF_SETTLE_LOOK_NS;
        } else {
            cut(windows, now_ns);
        }
    }
}

void cprof_parts_pause(struct cprof_entry *entry)
{
    cprof_snapshot_reset(&entry->base);
    cprof_snapshot_reset(&entry->end);
    entry->stage = CPROF_STAGE_PAUSED;
    entry->look_ns = CPROF_LOOP_NEVER;
}

/* All that go on begin with empty logs: nothing is to be taken off. */
static void go_on(struct cprof_windows *windows, struct cprof_entry *entry, uint64_t now_ns)
{
    entry->goes_on = false;
    if (now_ns >= entry->until_ns) {
        cprof_making_complete(entry->making);
        entry->stage = CPROF_STAGE_READING;
        entry->look_ns = 0;
        return;
    }
    entry->window.start_ns = now_ns;
    entry->window.start_unix_ns = cprof_now_unix_ns();
    entry->window.end_ns = entry->until_ns;
    entry->window.flags &= ~(uint32_t)CPROF_WINDOW_HAS_BASE;
    entry->window.flags |= (uint32_t)CPROF_WINDOW_LATER_PART;
    cprof_opening_publish(windows, entry);
    entry->stage = CPROF_STAGE_OPEN;
    entry->look_ns = entry->until_ns;
}

void cprof_parts_resume(struct cprof_windows *windows, uint64_t now_ns)
{
    uint64_t pause_ns = PART_GAPS_MIN * (now_ns - windows->cut_ns);

    if (!cprof_entries_have(windows, CPROF_STAGE_PAUSED) ||
        cprof_entries_have(windows, CPROF_STAGE_CLOSING) ||
        cprof_entries_have(windows, CPROF_STAGE_READING)) {
        return;
    }
    cprof_entries_take_back(windows, CPROF_STAGE_FINISHED);
    cprof_entries_take_back(windows, CPROF_STAGE_PAUSED);
    cprof_entries_recycle(windows, now_ns);
    if (!windows->fresh) {
        return;
    }
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (windows->entries[i].stage == CPROF_STAGE_PAUSED) {
            go_on(windows, &windows->entries[i], now_ns);
        }
    }
    windows->next_cut_ns = now_ns + (pause_ns > PART_NS_MIN ? pause_ns : PART_NS_MIN);
}

size_t cprof_parts_table_bytes(const struct cprof_windows *windows, const struct cprof_entry *entry)
{
    size_t left = cprof_memory_table_bytes(windows->config);
    uint64_t whole_ns = entry->until_ns - entry->began_ns;
    uint64_t passed_ns = entry->window.end_ns - entry->began_ns;

    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        const struct cprof_entry *other = &windows->entries[i];

        if (other != entry && other->making) {
            size_t bytes = cprof_making_table_bytes(other->making);

            left -= bytes < left ? bytes : left;
        }
    }
    if (entry->goes_on) {
        left = (size_t)((double)left * 3 / 4 * (0.5 + (double)passed_ns / (double)whole_ns / 2));
    }
    return left > TABLE_BYTES_MIN ? left : TABLE_BYTES_MIN;
}
