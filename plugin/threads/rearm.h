/* rearm.h - the part of the timer engine that runs in the handler: weight and next expiry.
 *
 * The timer is one-shot and armed anew at each tick for an absolute time of the thread's CPU
 * clock, a random interval (interval.h) after the last due time (not after the tick, which comes
 * up to a kernel tick late): so intervals do not beat against requests of equal length, and the
 * sum of all intervals is the CPU time, whatever the kernel's delay is (facts: a periodic timer
 * misjudged shares of 5 ms requests by up to 20 points).
 *
 * The ticker arms for a time from now instead: a timer whose absolute time has come while it was
 * being armed expires at once, and its signal would hit a thread that sleeps by then.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_REARM_H
#define CPROF_REARM_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "threads.h"

/* Arms the thread's timer anew, now_ns being its CPU clock. False if the timer is gone. The
 * ticker. */
bool cprof_rearm(struct cprof_thread *thread, uint64_t now_ns, uint64_t period_ns);

/* The same for a timer's first tick, which is due when the first sample is. It is armed so much
 * earlier as ticks are late on average, late_ns: those that are due and have not come when the
 * window ends make up for it. */
bool cprof_rearm_first(struct cprof_thread *thread, uint64_t now_ns, uint64_t period_ns,
                       uint64_t late_ns);

/* A tick has come: returns its weight in ns and arms the timer again. The thread's handler. */
CPROF_SIGSAFE uint64_t cprof_rearm_after_tick(struct cprof_thread *thread, uint64_t period_ns);

#endif
