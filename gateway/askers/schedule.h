/* schedule.h - the local schedule: a window each so often, for so long.
 *
 * Callers   the gateway's thread. Pure: the time is an argument (CLOCK_MONOTONIC, ns).
 * Step      none between instances: the first turn is at once, since somebody may wait for it; the
 *           second one comes a random part of an interval late, drawn once, and all that follow
 *           keep their distance. Instances that start together would else open, and end, their
 *           windows together for ever.
 * Drift     none: later turns begin at start + wait + n * interval. A window that is opened late
 *           still ends when its turn says; a turn of which more than half is lost is left out, so
 *           that nothing piles up after a stall.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SCHEDULE_H
#define CPROF_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct cprof_schedule {
    uint64_t start_ns;
    uint64_t wait_ns; /* before the second turn, beyond the interval */
    uint64_t interval_ns;
    uint64_t duration_ns; /* at most the interval */
    uint64_t next_turn;
};

/* Starts a schedule; its first turn is at once. 1 <= duration_s <= interval_s. The wait is drawn by
 * `seed`: equal ones draw the same, and ones that are close to each other have nothing in
 * common. */
void cprof_schedule_init(struct cprof_schedule *schedule, uint64_t start_ns, uint32_t interval_s,
                         uint32_t duration_s, uint64_t seed);

/* When the next turn begins. */
uint64_t cprof_schedule_next_ns(const struct cprof_schedule *schedule);

/* If a turn is due at now_ns, takes it: *end_ns is when its window ends. False: nothing is due,
 * or the turns that were due are lost; cprof_schedule_next_ns then lies in the future. */
bool cprof_schedule_take(struct cprof_schedule *schedule, uint64_t now_ns, uint64_t *end_ns);

#endif
