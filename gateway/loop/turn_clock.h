/* turn_clock.h - how long the turns of a loop take: from the end of one poll to the next.
 *
 * What counts is what the loop itself does and waits for: on the CPU, for a disk, for memory. The
 * time in which its thread could run and had no CPU is taken off, since that is the machine's load
 * (and a cgroup's CPU limit), by the kernel's own count: the second figure of
 * /proc/thread-self/schedstat. Where there is none it is not taken off. What a hypervisor takes is
 * never known.
 *
 * Callers   one thread. Costs two reads of the clock and one of that file each turn.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_TURN_CLOCK_H
#define CPROF_TURN_CLOCK_H

#include <stdint.h>

#define CPROF_TURN_SLICES 12u /* of a minute */

/* Fields are private. */
struct cprof_turn_clock {
    int schedstat_fd; /* -1: none */
    uint64_t began_ns, began_delay_ns;
    uint64_t longest_ns;
    struct {
        uint64_t number; /* of the slice in time */
        uint64_t longest_ns;
    } slices[CPROF_TURN_SLICES];
};

/* By the thread whose turns are meant. */
void cprof_turn_clock_open(struct cprof_turn_clock *clock);
void cprof_turn_clock_close(struct cprof_turn_clock *clock);

void cprof_turn_clock_begin(struct cprof_turn_clock *clock);
void cprof_turn_clock_end(struct cprof_turn_clock *clock);

/* The longest turn since it was opened, and of the last 55 to 60 seconds. */
uint64_t cprof_turn_clock_longest_ns(const struct cprof_turn_clock *clock);
uint64_t cprof_turn_clock_last_minute_ns(const struct cprof_turn_clock *clock);

#endif
