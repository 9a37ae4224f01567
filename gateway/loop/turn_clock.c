/* turn_clock.c - see turn_clock.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "turn_clock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"

#define SLICE_NS (60 * NS_PER_S / CPROF_TURN_SLICES)

/* The thread runs now, so that every wait of before is in it. 0: not known. */
static uint64_t run_delay_ns(const struct cprof_turn_clock *clock)
{
    char text[96];
    ssize_t bytes =
        clock->schedstat_fd >= 0 ? pread(clock->schedstat_fd, text, sizeof(text) - 1, 0) : -1;
    const char *second;

    if (bytes <= 0) {
        return 0;
    }
    text[bytes] = '\0';
    second = strchr(text, ' ');
    return second ? strtoull(second, NULL, 10) : 0;
}

void cprof_turn_clock_open(struct cprof_turn_clock *clock)
{
    *clock = (struct cprof_turn_clock){
        .schedstat_fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)};
}

void cprof_turn_clock_close(struct cprof_turn_clock *clock)
{
    if (clock->schedstat_fd >= 0) {
        close(clock->schedstat_fd);
    }
    clock->schedstat_fd = -1;
}

void cprof_turn_clock_begin(struct cprof_turn_clock *clock)
{
    clock->began_delay_ns = run_delay_ns(clock);
    clock->began_ns = cprof_now_ns();
}

void cprof_turn_clock_end(struct cprof_turn_clock *clock)
{
    uint64_t now_ns = cprof_now_ns(), took_ns = now_ns - clock->began_ns, delay_ns;
    uint64_t number = now_ns / SLICE_NS;
    unsigned place = (unsigned)(number % CPROF_TURN_SLICES);

    if (clock->slices[place].number != number) {
        clock->slices[place].number = number;
        clock->slices[place].longest_ns = 0;
    }
    if (took_ns <= clock->slices[place].longest_ns) {
        return; /* nothing to take off */
    }
    delay_ns = run_delay_ns(clock) - clock->began_delay_ns;
    took_ns -= delay_ns < took_ns ? delay_ns : took_ns;
    if (took_ns > clock->slices[place].longest_ns) {
        clock->slices[place].longest_ns = took_ns;
    }
    if (took_ns > clock->longest_ns) {
        clock->longest_ns = took_ns;
    }
}

uint64_t cprof_turn_clock_longest_ns(const struct cprof_turn_clock *clock)
{
    return clock->longest_ns;
}

uint64_t cprof_turn_clock_last_minute_ns(const struct cprof_turn_clock *clock)
{
    uint64_t number = cprof_now_ns() / SLICE_NS, longest_ns = 0;

    for (unsigned i = 0; i < CPROF_TURN_SLICES; i++) {
        if (number - clock->slices[i].number < CPROF_TURN_SLICES &&
            clock->slices[i].longest_ns > longest_ns) {
            longest_ns = clock->slices[i].longest_ns;
        }
    }
    return longest_ns;
}
