/* engine_timer.h - one CPU timer per thread: making, checking and deleting it.
 *
 * A timer on a thread's CPU clock ticks only while the thread runs, so its signal never
 * interrupts a sleeping system call (facts: 0 EINTR in 50,000 calls).
 *
 * Callers   the ticker only.
 * Ticks     what runs at one is in rearm.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_ENGINE_TIMER_H
#define CPROF_ENGINE_TIMER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/error.h"
#include "threads.h"

/* The signal: ignored by default, so that a tick which arrives after somebody restored the
 * default action cannot kill the process, as SIGPROF would. */
#define CPROF_SIGNAL SIGURG

/* Whether this kernel delivers CPU timers on the way back to user mode only, so that they cannot
 * cut a sleeping system call short (POSIX_CPU_TIMERS_TASK_WORK: Linux 5.11). False, with the
 * reason in *error, where that cannot be promised. At the start, in the master. */
bool cprof_engine_timer_spares_system_calls(struct cprof_error *error) CPROF_MUST_USE;

/* The distance of the kernel's ticks; 0: it cannot be told. */
uint64_t cprof_engine_timer_tick_ns(void);

/* Makes the thread's timer and arms it. False, with errno set, if the thread is gone or timers are
 * used up (EAGAIN: the user's processes have as many as RLIMIT_SIGPENDING allows). */
bool cprof_engine_timer_arm(struct cprof_thread *thread, uint64_t period_ns);

/* Deletes the timer of an armed thread. */
void cprof_engine_timer_disarm(struct cprof_thread *thread);

/* The thread's CPU clock. False: the thread is gone. */
bool cprof_engine_timer_clock(pid_t tid, uint64_t *now_ns);

/* CPU time that an armed thread, whose CPU clock stands at now_ns, used since it was armed or last
 * asked. */
uint64_t cprof_engine_timer_advance(struct cprof_thread *thread, uint64_t now_ns);

/* After cprof_engine_timer_advance: arms again a timer that stayed overdue from one look to the
 * next, and returns the weight of the tick that was lost; 0 if all is well. */
uint64_t cprof_engine_timer_revive(struct cprof_thread *thread, uint64_t period_ns);

#endif
