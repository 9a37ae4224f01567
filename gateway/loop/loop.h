/* loop.h - waits for descriptors and for points in time; everything else is a callback.
 *
 * Callers   the gateway's thread.
 * Memory    watches and timers are their owners' and borrowed while they are added.
 * Idle      sleeps in poll until the earliest timer.
 * Waiting   callbacks wait for nothing, and cut what takes long into turns: what may wait for a
 *           disk is done beside the loop (side_thread.h). The loop keeps a book of its longest
 *           turn.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_LOOP_H
#define CPROF_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "turn_clock.h"

#define CPROF_LOOP_WATCHES_MAX 64
#define CPROF_LOOP_TIMERS_MAX  16

#define CPROF_LOOP_NEVER UINT64_MAX

/* A descriptor that is waited for. */
struct cprof_loop_watch {
    int fd;
    short events; /* of poll(2) */
    void (*ready)(void *context, short events);
    void *context;
};

/* A point in time, CLOCK_MONOTONIC. Off (CPROF_LOOP_NEVER) before it fires; the callback sets
 * due_ns anew if it is to fire again. */
struct cprof_loop_timer {
    uint64_t due_ns;
    void (*fire)(void *context, uint64_t now_ns);
    void *context;
};

struct cprof_loop {
    struct cprof_loop_watch *watches[CPROF_LOOP_WATCHES_MAX];
    struct cprof_loop_timer *timers[CPROF_LOOP_TIMERS_MAX];
    struct cprof_turn_clock clock; /* of the turns between two polls */
    bool stopped;
};

void cprof_loop_init(struct cprof_loop *loop);

/* False: all places are taken. */
bool cprof_loop_add_watch(struct cprof_loop *loop, struct cprof_loop_watch *watch) CPROF_MUST_USE;
bool cprof_loop_add_timer(struct cprof_loop *loop, struct cprof_loop_timer *timer) CPROF_MUST_USE;

/* Takes a place back, from a callback too, its own included; nothing is called for it afterwards.
 * Does nothing for what was never added. */
void cprof_loop_remove_watch(struct cprof_loop *loop, const struct cprof_loop_watch *watch);
void cprof_loop_remove_timer(struct cprof_loop *loop, const struct cprof_loop_timer *timer);

/* Runs until a callback calls cprof_loop_stop. */
void cprof_loop_run(struct cprof_loop *loop);
void cprof_loop_stop(struct cprof_loop *loop);

#endif
