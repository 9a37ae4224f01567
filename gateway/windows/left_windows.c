/* left_windows.c - see left_windows.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "left_windows.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../../shared/base/log.h"
#include "../../shared/segment/window.h"
#include "harvest.h"

/* Stands in `unreleased` while a segment's windows are still being finished. */
#define NOT_ALL_FINISHED (1u << 31)

void cprof_left_count_lost(struct cprof_control *control, const struct cprof_window *window,
                           const char *why)
{
    cprof_log(CPROF_LOG_WARNING, "a window's profiles are lost: %s", why);
    for (unsigned i = 0; i < CPROF_PROFILE_KINDS; i++) {
        if (window->kinds & (uint32_t)cprof_profile_kinds[i]) {
            atomic_fetch_add(&control->profiles_failed, 1);
        }
    }
}

void cprof_left_warn_of_parts(const struct cprof_window *window)
{
    uint64_t now_unix_ns = cprof_now_unix_ns();

    if (window->flags & CPROF_WINDOW_LATER_PART) {
        cprof_log(
            CPROF_LOG_WARNING,
            "a window's profiles lack what was sampled until %.0f s ago: the gateway that had "
            "read it is gone",
            now_unix_ns > window->start_unix_ns
                ? (double)(now_unix_ns - window->start_unix_ns) / 1e9
                : 0.0);
    }
}

void cprof_left_correct_end(struct cprof_control *control, struct cprof_window *window)
{
    uint64_t closed_ns = atomic_load(&control->closed_ns), until_ns = cprof_now_ns();
    uint64_t sampled_ns = atomic_load(&control->epoch_end_ns);

    if (closed_ns > window->start_ns && closed_ns <= until_ns) {
        until_ns = closed_ns;
        window->end_ns = closed_ns < window->end_ns ? closed_ns : window->end_ns;
    }
    sampled_ns = sampled_ns < until_ns ? sampled_ns : until_ns;
    if (sampled_ns > window->end_ns && sampled_ns - window->start_ns <= CPROF_WINDOW_NS_MAX) {
        window->end_ns = sampled_ns;
    }
}

char *cprof_left_ticket(const struct cprof_segment *segment, unsigned index,
                        const struct cprof_window *window, size_t *bytes)
{
    char *ticket = calloc(1, CPROF_TICKET_BYTES_MAX + 1);

    *bytes = 0;
    if (ticket && window->ticket_bytes <= CPROF_TICKET_BYTES_MAX &&
        cprof_segment_read(segment, cprof_segment_tickets(segment)->text[index], ticket,
                           window->ticket_bytes)) {
        *bytes = strlen(ticket);
    }
    if (ticket && *bytes != window->ticket_bytes) {
        ticket[0] = '\0'; /* a NUL in it: nobody's ticket */
        *bytes = 0;
    }
    return ticket;
}

static void let_go(struct cprof_left_segment *left)
{
    if (left->unreleased == 0 && left->segment.base) {
        atomic_store(&cprof_segment_control(&left->segment)->harvested, 1);
        cprof_segment_close(&left->segment);
    }
}

/* Makes the profiles, or says why there are none: NULL. */
static struct cprof_harvest *make(const struct cprof_left_windows *left,
                                  const struct cprof_segment *segment,
                                  const struct cprof_window *window, struct cprof_harvest *harvest)
{
    static const struct cprof_snapshot nothing;
    struct cprof_error error;

    *harvest = (struct cprof_harvest){0};
    if (window->flags & CPROF_WINDOW_HAS_BASE) {
        cprof_left_count_lost(left->control, window, CPROF_LEFT_BASE_IS_LOST);
        return NULL;
    }
    cprof_left_warn_of_parts(window);
    if (!cprof_harvest_make(harvest, segment, left->config, window, &nothing, left->symbols,
                            &error)) {
        cprof_left_count_lost(left->control, window, error.text);
        return NULL;
    }
    return harvest;
}

static void finish_window(struct cprof_left_windows *left, int handle,
                          const struct cprof_left_segment *from, unsigned index,
                          struct cprof_window *window)
{
    const struct cprof_adopter *adopter =
        window->source < left->adopter_count ? &left->adopters[window->source] : left->adopters;
    struct cprof_window_result result = {.handle = handle, .window = window, .adopted = true};
    struct cprof_harvest harvest;
    char *ticket;

    if (!adopter->finished) {
        cprof_left_release(left, handle);
        return;
    }
    ticket = cprof_left_ticket(&from->segment, index, window, &result.ticket_bytes);
    result.ticket = ticket ? ticket : "";
    cprof_left_correct_end(cprof_segment_control(&from->segment), window);
    result.harvest = make(left, &from->segment, window, &harvest);
    adopter->finished(adopter->context, &result);
    cprof_harvest_reset(&harvest);
    free(ticket);
}

void cprof_left_finish(struct cprof_left_windows *left, int fd)
{
    struct cprof_left_segment *from = &left->segments[left->segment_count];
    struct cprof_window windows[CPROF_WINDOWS_MAX];
    struct cprof_error error;
    uint32_t mask;
    int handle;

    if (left->segment_count == CPROF_LEFT_SEGMENTS_MAX) {
        return;
    }
    if (!cprof_segment_open(&from->segment, fd, &error)) {
        cprof_log(CPROF_LOG_WARNING, "what was sampled before the reload is lost: %s", error.text);
        return;
    }
    handle = left->first_handle + (int)(left->segment_count++ * CPROF_WINDOWS_MAX);
    mask = atomic_load(&cprof_segment_control(&from->segment)->harvested)
               ? 0
               : cprof_harvest_find_windows(&from->segment, windows);
    from->unreleased = mask | NOT_ALL_FINISHED;
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (mask & (1u << i)) {
            from->sources[i] = windows[i].source;
            finish_window(left, handle + (int)i, from, i, &windows[i]);
        }
    }
    from->unreleased &= ~NOT_ALL_FINISHED;
    let_go(from);
}

void cprof_left_release(struct cprof_left_windows *left, int handle)
{
    unsigned place = (unsigned)(handle - left->first_handle);
    struct cprof_left_segment *from;

    if (handle < left->first_handle || place / CPROF_WINDOWS_MAX >= left->segment_count) {
        return;
    }
    from = &left->segments[place / CPROF_WINDOWS_MAX];
    from->unreleased &= ~(1u << place % CPROF_WINDOWS_MAX);
    let_go(from);
}

void cprof_left_drop(struct cprof_left_windows *left, enum cprof_window_source source)
{
    for (unsigned i = 0; i < left->segment_count * CPROF_WINDOWS_MAX; i++) {
        if (left->segments[i / CPROF_WINDOWS_MAX].sources[i % CPROF_WINDOWS_MAX] ==
            (uint32_t)source) {
            cprof_left_release(left, left->first_handle + (int)i);
        }
    }
}

unsigned cprof_left_count(const struct cprof_left_windows *left, enum cprof_window_source source)
{
    unsigned count = 0;

    for (unsigned i = 0; i < left->segment_count * CPROF_WINDOWS_MAX; i++) {
        const struct cprof_left_segment *from = &left->segments[i / CPROF_WINDOWS_MAX];
        unsigned index = i % CPROF_WINDOWS_MAX;

        count += (from->unreleased & (1u << index)) && from->sources[index] == (uint32_t)source;
    }
    return count;
}

void cprof_left_close(struct cprof_left_windows *left)
{
    for (unsigned i = 0; i < left->segment_count; i++) {
        cprof_segment_close(&left->segments[i].segment);
    }
}
