/* self_check.h - finds out, from a process's first window with work in it, whether this platform's
 * signals and clocks do what the sampler builds on, and says in one line what is not profiled.
 *
 * Emulators and libraries that stand before the C library promise the system calls and get some of
 * them wrong: a CPU clock that stands still, a timer that never expires, a handler on a misaligned
 * stack. Nothing fails then; profiles are just empty. What the kernel accounts (getrusage) is
 * compared with the process's CPU clock, and the ticks with both. No signal is sent for it.
 *
 * Callers   the ticker, at the begin and end of each epoch.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SELF_CHECK_H
#define CPROF_SELF_CHECK_H

#include <stdbool.h>
#include <stdint.h>

enum cprof_self_check {
    CPROF_SELF_CHECK_EARLY, /* too little work to tell */
    CPROF_SELF_CHECK_WELL,
    CPROF_SELF_CHECK_NO_CLOCK,   /* the CPU clock stands still, or nearly so */
    CPROF_SELF_CHECK_NO_TIMERS,  /* timers are armed and never signal */
    CPROF_SELF_CHECK_MISALIGNED, /* all works, but for the stack that handlers start on */
};

/* What happened in a window. */
struct cprof_self_check_facts {
    uint64_t accounted_ns; /* CPU time by the kernel's accounts */
    uint64_t clock_ns;     /* and by the process's CPU clock */
    uint64_t timer_ticks;
    uint64_t lost;      /* timers that were armed again because no signal came */
    uint64_t explained; /* threads and ticks for which another reason is known */
    bool has_signal;    /* nobody else took it */
    bool is_misaligned;
};

enum cprof_self_check cprof_self_check_judge(const struct cprof_self_check_facts *facts);

/* Clocks and counters are as they stand when sampling begins. */
void cprof_self_check_begin(const _Atomic uint64_t *counters);

/* Sampling ends. Logs once a process. `has_signal` as above. */
void cprof_self_check_end(const _Atomic uint64_t *counters, bool has_signal);

#endif
