/* left_windows.c - see left_windows.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "left_windows.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../shared/base/log.h"
#include "../../shared/segment/window.h"
#include "harvest.h"
#include "memory_share.h"

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

static void close_segment(struct cprof_left_segment *left)
{
    if (left->segment.base) {
        cprof_segment_close(&left->segment);
        (void)close(left->segment.fd);
    }
}

static void let_go(struct cprof_left_segment *left)
{
    if (left->unreleased == 0 && left->segment.base) {
        atomic_store(&cprof_segment_control(&left->segment)->harvested, 1);
        close_segment(left);
    }
}

/* Of the window that is being finished. */
static int handle_at(const struct cprof_left_windows *left)
{
    return left->first_handle + (int)(left->segment_at * CPROF_WINDOWS_MAX + left->window_at);
}

/* There was none in its place, or it was dropped. */
static bool is_released(const struct cprof_left_windows *left)
{
    return !(left->segments[left->segment_at].unreleased & (1u << left->window_at));
}

static const struct cprof_adopter *adopter_of(const struct cprof_left_windows *left,
                                              uint32_t source)
{
    return source < left->adopter_count ? &left->adopters[source] : left->adopters;
}

static void hand_over(struct cprof_left_windows *left, struct cprof_harvest *harvest)
{
    struct cprof_left_segment *from = &left->segments[left->segment_at];
    const struct cprof_adopter *adopter = adopter_of(left, left->window.source);
    struct cprof_window_result result = {
        .handle = handle_at(left),
        .window = &left->window,
        .harvest = harvest,
        .adopted = true,
    };
    char *ticket =
        cprof_left_ticket(&from->segment, left->window_at, &left->window, &result.ticket_bytes);

    result.ticket = ticket ? ticket : "";
    adopter->finished(adopter->context, &result);
    free(ticket);
}

static void lose(struct cprof_left_windows *left, const char *why)
{
    cprof_left_count_lost(left->control, &left->window, why);
    hand_over(left, NULL);
}

/* Its profiles are made from now on, or it is done with already. */
static void begin_window(struct cprof_left_windows *left)
{
    static const struct cprof_snapshot nothing;
    struct cprof_left_segment *from = &left->segments[left->segment_at];
    const struct cprof_harvest_source source = {
        .segment = &from->segment,
        .config = left->config,
        .window = &left->window,
        .base = &nothing,
        .symbols = left->symbols,
        .table_bytes = cprof_memory_table_bytes(left->config),
    };
    struct cprof_error error;

    left->window = from->windows[left->window_at];
    if (!adopter_of(left, left->window.source)->finished) {
        cprof_left_release(left, handle_at(left));
        return;
    }
    cprof_left_correct_end(cprof_segment_control(&from->segment), &left->window);
    if (left->window.flags & CPROF_WINDOW_HAS_BASE) {
        lose(left, CPROF_LEFT_BASE_IS_LOST);
        return;
    }
    cprof_left_warn_of_parts(&left->window);
    left->making = cprof_making_begin(&source, &error);
    if (left->making) {
        cprof_making_complete(left->making);
    } else {
        lose(left, error.text);
    }
}

static void step_window(struct cprof_left_windows *left)
{
    struct cprof_making *making = left->making;
    struct cprof_error error;
    enum cprof_step step = is_released(left) ? CPROF_STEP_DONE : cprof_making_step(making, &error);

    if (step == CPROF_STEP_MORE) {
        return;
    }
    left->making = NULL;
    if (step == CPROF_STEP_FAILED) {
        lose(left, error.text);
    } else if (!is_released(left)) {
        hand_over(left, cprof_making_harvest(making));
    }
    cprof_making_end(making);
}

static void next_segment(struct cprof_left_windows *left)
{
    struct cprof_left_segment *from = &left->segments[left->segment_at];

    from->unreleased &= ~NOT_ALL_FINISHED;
    let_go(from);
    left->segment_at++;
    left->window_at = 0;
}

void cprof_left_step(struct cprof_left_windows *left)
{
    if (!cprof_left_has_more(left)) {
        return;
    }
    if (left->making) {
        step_window(left);
    } else if (left->window_at == CPROF_WINDOWS_MAX) {
        next_segment(left);
        return;
    } else if (!is_released(left)) {
        begin_window(left);
    }
    if (!left->making) {
        left->window_at++;
    }
}

bool cprof_left_has_more(const struct cprof_left_windows *left)
{
    return left->segment_at < left->segment_count;
}

void cprof_left_take(struct cprof_left_windows *left, int fd)
{
    struct cprof_left_segment *from = &left->segments[left->segment_count];
    struct cprof_error error;
    uint32_t mask;

    if (left->segment_count == CPROF_LEFT_SEGMENTS_MAX) {
        (void)close(fd);
        return;
    }
    if (!cprof_segment_open(&from->segment, fd, &error)) {
        cprof_log(CPROF_LOG_WARNING, "what was sampled before the reload is lost: %s", error.text);
        (void)close(fd);
        return;
    }
    left->segment_count++;
    mask = atomic_load(&cprof_segment_control(&from->segment)->harvested)
               ? 0
               : cprof_harvest_find_windows(&from->segment, from->windows);
    from->unreleased = mask | NOT_ALL_FINISHED;
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
        const struct cprof_left_segment *from = &left->segments[i / CPROF_WINDOWS_MAX];

        if (from->windows[i % CPROF_WINDOWS_MAX].source == (uint32_t)source) {
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

        count +=
            (from->unreleased & (1u << index)) && from->windows[index].source == (uint32_t)source;
    }
    return count;
}

void cprof_left_close(struct cprof_left_windows *left)
{
    cprof_making_end(left->making);
    left->making = NULL;
    for (unsigned i = 0; i < left->segment_count; i++) {
        close_segment(&left->segments[i]);
    }
}
