/* kernel_clock.h - what a clock says, asked of the kernel itself.
 *
 * A library that stands before the C library (libfaketime) answers clock_gettime, timer_create and
 * timer_settime as it likes: the clock of a thread is then moved by years, a timer on it never
 * expires, and two processes of one instance, of which only one has the library, do not agree.
 * So neither clocks nor timers are asked for by these names. The CPU clocks need a system call in
 * any case.
 *
 * Callers   any, also signal handlers. errno is changed where the clock is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_KERNEL_CLOCK_H
#define CPROF_KERNEL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "units.h"

/* Nanoseconds by `clock`. False: there is no such clock (any more), and *now_ns is 0. */
static inline bool cprof_kernel_clock(clockid_t clock, uint64_t *now_ns)
{
    struct timespec now = {0};
    bool works = syscall(SYS_clock_gettime, clock, &now) == 0;

    *now_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
    return works;
}

/* The same for clocks that are always there. */
static inline uint64_t cprof_kernel_clock_ns(clockid_t clock)
{
    uint64_t now_ns;

    (void)cprof_kernel_clock(clock, &now_ns);
    return now_ns;
}

#endif
