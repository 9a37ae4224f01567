/* loop.c - see loop.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop.h"

#include <limits.h>
#include <poll.h>
#include <stddef.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"

void cprof_loop_init(struct cprof_loop *loop)
{
    *loop = (struct cprof_loop){0};
}

bool cprof_loop_add_watch(struct cprof_loop *loop, struct cprof_loop_watch *watch)
{
    for (unsigned i = 0; i < CPROF_LOOP_WATCHES_MAX; i++) {
        if (!loop->watches[i]) {
            loop->watches[i] = watch;
            return true;
        }
    }
    return false;
}

bool cprof_loop_add_timer(struct cprof_loop *loop, struct cprof_loop_timer *timer)
{
    for (unsigned i = 0; i < CPROF_LOOP_TIMERS_MAX; i++) {
        if (!loop->timers[i]) {
            loop->timers[i] = timer;
            return true;
        }
    }
    return false;
}

void cprof_loop_remove_watch(struct cprof_loop *loop, const struct cprof_loop_watch *watch)
{
    for (unsigned i = 0; i < CPROF_LOOP_WATCHES_MAX; i++) {
        if (loop->watches[i] == watch) {
            loop->watches[i] = NULL;
        }
    }
}

void cprof_loop_remove_timer(struct cprof_loop *loop, const struct cprof_loop_timer *timer)
{
    for (unsigned i = 0; i < CPROF_LOOP_TIMERS_MAX; i++) {
        if (loop->timers[i] == timer) {
            loop->timers[i] = NULL;
        }
    }
}

void cprof_loop_stop(struct cprof_loop *loop)
{
    loop->stopped = true;
}

static void fire_timers(struct cprof_loop *loop, uint64_t now_ns)
{
    for (unsigned i = 0; i < CPROF_LOOP_TIMERS_MAX && !loop->stopped; i++) {
        struct cprof_loop_timer *timer = loop->timers[i];

        if (timer && timer->due_ns <= now_ns) {
            timer->due_ns = CPROF_LOOP_NEVER;
            timer->fire(timer->context, now_ns);
        }
    }
}

/* Rounded up, so that no timer is found not yet due when poll returns. */
static int poll_timeout_ms(const struct cprof_loop *loop, uint64_t now_ns)
{
    uint64_t due_ns = CPROF_LOOP_NEVER, wait_ms;

    for (unsigned i = 0; i < CPROF_LOOP_TIMERS_MAX; i++) {
        if (loop->timers[i] && loop->timers[i]->due_ns < due_ns) {
            due_ns = loop->timers[i]->due_ns;
        }
    }
    if (due_ns == CPROF_LOOP_NEVER) {
        return -1;
    }
    wait_ms = due_ns > now_ns ? (due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
    return wait_ms < INT_MAX ? (int)wait_ms : INT_MAX;
}

static void wait_once(struct cprof_loop *loop)
{
    struct pollfd fds[CPROF_LOOP_WATCHES_MAX];
    struct cprof_loop_watch *watched[CPROF_LOOP_WATCHES_MAX];
    unsigned places[CPROF_LOOP_WATCHES_MAX];
    nfds_t count = 0;
    int ready;

    for (unsigned i = 0; i < CPROF_LOOP_WATCHES_MAX; i++) {
        if (loop->watches[i]) {
            watched[count] = loop->watches[i];
            places[count] = i;
            fds[count] =
                (struct pollfd){.fd = watched[count]->fd, .events = watched[count]->events};
            count++;
        }
    }
    cprof_turn_clock_end(&loop->clock);
    ready = poll(fds, count, poll_timeout_ms(loop, cprof_now_ns()));
    cprof_turn_clock_begin(&loop->clock);
    if (ready <= 0) {
        return;
    }
    for (nfds_t i = 0; i < count && !loop->stopped; i++) {
        /* One that was polled may have been removed since by another's callback, and be in use
         * again for another descriptor. */
        if (fds[i].revents && loop->watches[places[i]] == watched[i] &&
            watched[i]->fd == fds[i].fd) {
            watched[i]->ready(watched[i]->context, fds[i].revents);
        }
    }
}

void cprof_loop_run(struct cprof_loop *loop)
{
    cprof_turn_clock_open(&loop->clock);
    cprof_turn_clock_begin(&loop->clock);
    while (!loop->stopped) {
        fire_timers(loop, cprof_now_ns());
        if (!loop->stopped) {
            wait_once(loop);
        }
    }
    cprof_turn_clock_close(&loop->clock);
}
