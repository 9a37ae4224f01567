/* windows.c - see windows.h.
 *
 * The life of a window, and what a kill of the gateway at each point leaves behind:
 *
 *     wait        nothing.
 *     open        ticket and descriptor, then the bit. Killed before the bit: there is no window.
 *     sample      killed: the bit stands; the next gateway waits for the end and goes on, unless
 *                 the window has a base, which died: it is lost.
 *     next part   where logs are half full (parts.h): the descriptor is one of the part that ended,
 *                 and once all parts are read and the logs are given back, of the next part. What
 *                 was read of earlier parts dies with the gateway.
 *     read        the logs are read, slot by slot, in turns of the loop; nothing is changed.
 *                 Killed: the next one reads them again. Where other windows sample on, a look at
 *                 all logs comes first, so that each slot's part ends with the window.
 *     deliver     the orderer's. Killed behind that, before the bit is cleared: the next gateway
 *                 makes the same profiles and says that they may be delivered already.
 *     release     the bit is cleared. Killed: nothing is made of the window again.
 *     new epoch   once no window stands the logs are given back; the next gateway does that first
 *                 in any case.
 *
 * SPDX-License-Identifier: MIT
 */
#include "windows.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../../shared/base/log.h"
#include "../../shared/segment/window.h"
#include "closing.h"
#include "entries.h"
#include "memory_share.h"
#include "opening.h"
#include "parts.h"

static void look_at(struct cprof_windows *windows, struct cprof_entry *entry, uint64_t now_ns)
{
    switch (entry->stage) {
    case CPROF_STAGE_WAITING:
        cprof_opening_look_at_waiting(windows, entry, now_ns);
        break;
    case CPROF_STAGE_SETTLING:
        cprof_opening_look_at_settling(windows, entry, now_ns);
        break;
    case CPROF_STAGE_OPEN:
        cprof_closing_begin(entry, now_ns);
        cprof_closing_look_at_closing(windows, entry, now_ns);
        break;
    case CPROF_STAGE_CLOSING:
        cprof_closing_look_at_closing(windows, entry, now_ns);
        break;
    case CPROF_STAGE_READING:
        cprof_closing_look_at_reading(windows, entry);
        break;
    case CPROF_STAGE_FREE:
    case CPROF_STAGE_PAUSED:
    case CPROF_STAGE_FINISHED:
        break;
    }
}

/* For a while, as cprof_closing_look_at_reading. */
static void look_at_left(struct cprof_windows *windows)
{
    uint64_t until_ns = cprof_now_ns() + CPROF_TURN_NS;

    while (cprof_left_has_more(&windows->left) && cprof_now_ns() < until_ns) {
        cprof_left_step(&windows->left);
    }
}

static uint64_t next_look_ns(const struct cprof_windows *windows)
{
    uint64_t due_ns = windows->recycle_look_ns < windows->fill_look_ns ? windows->recycle_look_ns
                                                                       : windows->fill_look_ns;

    if (cprof_left_has_more(&windows->left)) {
        return 0;
    }
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        due_ns = windows->entries[i].look_ns < due_ns ? windows->entries[i].look_ns : due_ns;
    }
    return due_ns;
}

/* Looks at what is due. Callbacks may have changed any entry. */
static void work(void *context, uint64_t now_ns)
{
    struct cprof_windows *windows = context;

    if (!windows->begun) {
        return;
    }
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (windows->entries[i].look_ns <= now_ns) {
            look_at(windows, &windows->entries[i], now_ns);
        }
    }
    look_at_left(windows);
    cprof_entries_recycle(windows, now_ns);
    cprof_parts_resume(windows, now_ns); /* behind it: windows go on once all logs are given back */
    cprof_parts_look(windows, now_ns);
    windows->timer.due_ns = next_look_ns(windows);
}

struct cprof_windows *cprof_windows_create(const struct cprof_config *config,
                                           const struct cprof_segment *segment,
                                           struct cprof_loop *loop, struct cprof_error *error)
{
    struct cprof_windows *windows = calloc(1, sizeof(*windows));

    if (!windows) {
        cprof_fail(error, "no memory for the windows");
        return NULL;
    }
    windows->config = config;
    windows->segment = segment;
    windows->control = cprof_segment_control(segment);
    windows->loop = loop;
    windows->symbols = cprof_symbols_create(cprof_memory_symbol_bytes(config));
    windows->recycle_look_ns = windows->fill_look_ns = CPROF_LOOP_NEVER;
    windows->timer =
        (struct cprof_loop_timer){.due_ns = CPROF_LOOP_NEVER, .fire = work, .context = windows};
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        windows->entries[i].look_ns = CPROF_LOOP_NEVER;
    }
    if (!cprof_loop_add_timer(loop, &windows->timer)) {
        cprof_fail(error, "the loop has no place for the windows");
        cprof_symbols_free(windows->symbols);
        free(windows);
        return NULL;
    }
    return windows;
}

void cprof_windows_destroy(struct cprof_windows *windows)
{
    if (!windows) {
        return;
    }
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        windows->entries[i].stands = false; /* it is the next gateway's */
        cprof_entry_free(windows, &windows->entries[i]);
    }
    cprof_left_close(&windows->left);
    cprof_symbols_free(windows->symbols);
    cprof_loop_remove_timer(windows->loop, &windows->timer);
    free(windows);
}

void cprof_windows_adopt(struct cprof_windows *windows, enum cprof_window_source source,
                         cprof_window_finished finished, void *context)
{
    windows->adopters[source] = (struct cprof_adopter){.finished = finished, .context = context};
}

void cprof_windows_observe(struct cprof_windows *windows,
                           const struct cprof_windows_observer *observer)
{
    windows->observer = *observer;
}

/* A window of a gateway that was killed. */
static void take_on(struct cprof_windows *windows, unsigned index,
                    const struct cprof_window *window)
{
    struct cprof_entry *entry = &windows->entries[index];
    const struct cprof_adopter *adopter = window->source < CPROF_SOURCES_MAX
                                              ? &windows->adopters[window->source]
                                              : &windows->adopters[0];

    entry->stands = true;
    if (!adopter->finished) {
        cprof_entry_free(windows, entry);
        return;
    }
    entry->window = *window;
    entry->began_ns = window->start_ns;
    entry->began_unix_ns = window->start_unix_ns;
    entry->adopted = true;
    entry->order.source = window->source;
    entry->order.finished = adopter->finished;
    entry->order.context = adopter->context;
    entry->ticket = cprof_left_ticket(windows->segment, index, window, &entry->ticket_bytes);
    if (window->flags & CPROF_WINDOW_HAS_BASE) {
        cprof_entry_lose(windows, entry, CPROF_LEFT_BASE_IS_LOST);
        return;
    }
    cprof_log(CPROF_LOG_INFO, "the gateway goes on with window %u", window->id);
    cprof_left_warn_of_parts(window);
    cprof_left_correct_end(windows->control, &entry->window);
    entry->until_ns = entry->window.end_ns;
    entry->stage = CPROF_STAGE_OPEN;
    entry->look_ns = entry->window.end_ns;
}

void cprof_windows_begin(struct cprof_windows *windows, const int *previous_fds,
                         size_t previous_count)
{
    struct cprof_window found[CPROF_WINDOWS_MAX];
    uint32_t mask;

    windows->left.config = windows->config;
    windows->left.symbols = windows->symbols;
    windows->left.control = windows->control;
    windows->left.adopters = windows->adopters;
    windows->left.adopter_count = CPROF_SOURCES_MAX;
    windows->left.first_handle = (int)CPROF_WINDOWS_MAX;
    for (size_t i = 0; i < previous_count; i++) {
        cprof_left_take(&windows->left, previous_fds[i]);
    }
    mask = cprof_harvest_find_windows(windows->segment, found);
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (mask & (1u << i)) {
            take_on(windows, i, &found[i]);
        }
    }
    cprof_window_ring(windows->control);
    windows->begun = true;
    cprof_entries_recycle(windows, cprof_now_ns());
    cprof_entries_wake(windows);
}

static bool order_is_sound(const struct cprof_window_order *order)
{
    return order->finished && order->kinds && !(order->kinds & ~(uint32_t)CPROF_KINDS_ALL) &&
           order->source >= CPROF_SOURCE_SCHEDULE && order->source < CPROF_SOURCES_MAX &&
           !(order->flags & ~(uint32_t)(CPROF_WINDOW_REQUESTS | CPROF_WINDOW_NEW_REQUESTS)) &&
           order->period_ns >= CPROF_PERIOD_NS_MIN && order->period_ns <= CPROF_PERIOD_NS_MAX &&
           (order->duration_ns == 0) != (order->end_ns == 0) &&
           order->duration_ns <= CPROF_WINDOW_NS_MAX &&
           order->ticket_bytes <= CPROF_TICKET_BYTES_MAX &&
           (order->ticket || order->ticket_bytes == 0) &&
           !(order->ticket_bytes && memchr(order->ticket, '\0', order->ticket_bytes));
}

/* One place is for looks at what is under way: profiles, however long, never take them all. */
static bool may_have_place(const struct cprof_windows *windows, uint32_t source)
{
    unsigned others = 0;

    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        others += windows->entries[i].stage != CPROF_STAGE_FREE &&
                  windows->entries[i].order.source != (uint32_t)CPROF_SOURCE_WATCH;
    }
    return source == CPROF_SOURCE_WATCH || others < CPROF_WINDOWS_MAX - 1;
}

static struct cprof_entry *find_free(struct cprof_windows *windows, uint32_t source)
{
    if (!may_have_place(windows, source)) {
        return NULL;
    }
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (windows->entries[i].stage == CPROF_STAGE_FREE) {
            return &windows->entries[i];
        }
    }
    return NULL;
}

/* Whoever orders a window takes the period in force, or has one of his own. */
static uint32_t stretched(const struct cprof_config *config, uint64_t period_ns)
{
    bool is_stretched =
        config->period_ms > config->set_period_ms && period_ns == config->period_ms * NS_PER_MS;

    return is_stretched ? (uint32_t)CPROF_WINDOW_STRETCHED : 0;
}

int cprof_windows_order(struct cprof_windows *windows, const struct cprof_window_order *order,
                        struct cprof_error *error)
{
    struct cprof_entry *entry = find_free(windows, order->source);
    char *ticket;

    if (!order_is_sound(order)) {
        cprof_fail(error, "the window that was asked for is out of bounds");
        return -1;
    }
    if (!entry) {
        cprof_fail(error, "%u windows stand already",
                   order->source == CPROF_SOURCE_WATCH ? CPROF_WINDOWS_MAX : CPROF_WINDOWS_MAX - 1);
        return -1;
    }
    ticket = strndup(order->ticket_bytes ? order->ticket : "", order->ticket_bytes);
    if (!ticket) {
        cprof_fail(error, "no memory for a window's ticket");
        return -1;
    }
    *entry = (struct cprof_entry){.stage = CPROF_STAGE_WAITING,
                                  .order = *order,
                                  .ticket = ticket,
                                  .ticket_bytes = order->ticket_bytes};
    entry->order.ticket = NULL;
    entry->order.flags |= stretched(windows->config, order->period_ns);
    entry->window.kinds = order->kinds;
    entry->window.source = order->source;
    entry->window.period_ns = order->period_ns;
    cprof_entries_wake(windows);
    return (int)(entry - windows->entries);
}

void cprof_windows_release(struct cprof_windows *windows, int handle)
{
    if (handle >= (int)CPROF_WINDOWS_MAX) {
        cprof_left_release(&windows->left, handle);
        return;
    }
    if (handle >= 0 && windows->entries[handle].stage == CPROF_STAGE_FINISHED) {
        cprof_entry_free(windows, &windows->entries[handle]);
        if (windows->begun) {
            cprof_entries_recycle(windows, cprof_now_ns());
            cprof_entries_wake(windows);
        }
    }
}

void cprof_windows_cancel(struct cprof_windows *windows, int handle)
{
    struct cprof_entry *entry;

    if (handle < 0 || handle >= (int)CPROF_WINDOWS_MAX) {
        return;
    }
    entry = &windows->entries[handle];
    if (entry->stage == CPROF_STAGE_FREE || entry->stage == CPROF_STAGE_FINISHED) {
        return;
    }
    if (entry->stands) {
        windows->drained_by_ns = cprof_now_ns() + CPROF_CLOSE_WAIT_NS;
    }
    cprof_entry_free(windows, entry);
    cprof_window_ring(windows->control);
    cprof_entries_wake(windows);
}

void cprof_windows_drop(struct cprof_windows *windows, enum cprof_window_source source)
{
    cprof_left_drop(&windows->left, source);
    for (int handle = 0; handle < (int)CPROF_WINDOWS_MAX; handle++) {
        if (windows->entries[handle].order.source == (uint32_t)source) {
            cprof_windows_cancel(windows, handle);
            cprof_windows_release(windows, handle);
        }
    }
}

unsigned cprof_windows_count(const struct cprof_windows *windows, enum cprof_window_source source)
{
    unsigned count = cprof_left_count(&windows->left, source);

    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        count += windows->entries[i].stage != CPROF_STAGE_FREE &&
                 windows->entries[i].order.source == (uint32_t)source;
    }
    return count;
}

/* Between two parts, too. */
static bool is_under_way(const struct cprof_entry *entry)
{
    return entry->stage == CPROF_STAGE_SETTLING || entry->stage == CPROF_STAGE_OPEN ||
           entry->stage == CPROF_STAGE_PAUSED || entry->goes_on;
}

unsigned cprof_windows_read(const struct cprof_windows *windows,
                            struct cprof_window open[CPROF_WINDOWS_MAX])
{
    uint64_t now_ns = cprof_now_ns();
    unsigned count = 0;

    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        const struct cprof_entry *entry = &windows->entries[i];

        if (is_under_way(entry) && now_ns < entry->until_ns) {
            open[count] = cprof_entry_whole_window(entry);
            open[count++].end_ns = entry->until_ns;
        }
    }
    return count;
}
