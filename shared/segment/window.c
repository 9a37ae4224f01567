/* window.c - see window.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "window.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../base/kernel_clock.h"
#include "../base/units.h"

/* Windows are opened seconds apart; a writer that never stops must not hold a ticker up. */
#define READS_MAX 8u

uint64_t cprof_now_ns(void)
{
    return cprof_kernel_clock_ns(CLOCK_MONOTONIC);
}

uint64_t cprof_now_unix_ns(void)
{
    struct timespec now;

    /* Not the kernel's own: it is compared with times that uWSGI writes down. */
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void cprof_window_open(struct cprof_control *control, int index, struct cprof_window *window)
{
    uint64_t epoch_end_ns = atomic_load(&control->epoch_end_ns);

    if (window->end_ns > epoch_end_ns) {
        atomic_store(&control->epoch_end_ns, window->end_ns);
    }
    window->epoch = atomic_load(&control->epoch);
    window->id = atomic_fetch_add(&control->next_window_id, 1);
    control->windows[index] = *window;
    atomic_fetch_or(&control->window_mask, 1u << index);
    cprof_window_ring(control);
}

void cprof_window_close(struct cprof_control *control, int index)
{
    atomic_fetch_and(&control->window_mask, ~(1u << index));
}

void cprof_window_ring(struct cprof_control *control)
{
    atomic_fetch_add(&control->doorbell, 1);
    (void)syscall(SYS_futex, &control->doorbell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static bool window_is_sound(const struct cprof_window *window, uint64_t now_ns)
{
    return window->start_ns <= now_ns && window->end_ns > window->start_ns &&
           window->end_ns - window->start_ns <= CPROF_WINDOW_NS_MAX &&
           window->period_ns >= CPROF_PERIOD_NS_MIN && window->period_ns <= CPROF_PERIOD_NS_MAX;
}

static uint64_t requests_before_ns(const struct cprof_window *window)
{
    if (!(window->flags & (uint32_t)CPROF_WINDOW_REQUESTS)) {
        return 0;
    }
    return window->flags & (uint32_t)CPROF_WINDOW_NEW_REQUESTS ? UINT64_MAX : window->start_unix_ns;
}

static void add_window(struct cprof_window_demand *demand, const struct cprof_window *window)
{
    demand->kinds |= window->kinds & (uint32_t)CPROF_KINDS_ALL;
    if (window->period_ns < demand->period_ns) {
        demand->period_ns = window->period_ns;
    }
    if (window->start_ns > demand->last_start_ns) {
        demand->last_start_ns = window->start_ns;
    }
    if (window->end_ns < demand->next_end_ns) {
        demand->next_end_ns = window->end_ns;
    }
    if (requests_before_ns(window) > demand->requests_before_ns) {
        demand->requests_before_ns = requests_before_ns(window);
    }
}

static void read_windows(const struct cprof_control *control, uint64_t now_ns, uint32_t epoch,
                         struct cprof_window_demand *demand)
{
    uint32_t mask = atomic_load(&control->window_mask);

    *demand = (struct cprof_window_demand){
        .epoch = epoch, .period_ns = CPROF_PERIOD_NS_MAX, .next_end_ns = UINT64_MAX};
    for (unsigned index = 0; index < CPROF_WINDOWS_MAX; index++) {
        struct cprof_window window;

        if (!(mask & (1u << index))) {
            continue;
        }
        memcpy(&window, &control->windows[index], sizeof(window));
        if (window_is_sound(&window, now_ns) && window.epoch == epoch && window.end_ns > now_ns) {
            add_window(demand, &window);
        }
    }
}

/* A descriptor may be given back and filled again while it is copied. Every filling takes an id
 * first, so that a copy is whole if no id was taken meanwhile. */
void cprof_window_read(const struct cprof_control *control, uint64_t now_ns, uint32_t epoch,
                       struct cprof_window_demand *demand)
{
    uint32_t before, tries = 0;

    do {
        before = atomic_load(&control->next_window_id);
        read_windows(control, now_ns, epoch, demand);
        atomic_thread_fence(memory_order_acquire);
    } while (atomic_load(&control->next_window_id) != before && ++tries < READS_MAX);
}

uint32_t cprof_window_doorbell(const struct cprof_control *control)
{
    return atomic_load(&control->doorbell);
}

/* FUTEX_WAIT would take the time from now on, so that the time would have to be asked for
 * before. */
void cprof_window_wait(const struct cprof_control *control, uint32_t seen, uint64_t until_ns)
{
    struct timespec until = {
        .tv_sec = (time_t)(until_ns / NS_PER_S),
        .tv_nsec = (long)(until_ns % NS_PER_S),
    };

    (void)syscall(SYS_futex, &control->doorbell, FUTEX_WAIT_BITSET, seen,
                  until_ns == UINT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
}
