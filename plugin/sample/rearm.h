/* rearm.h - the part of the timer engine that runs in the handler: weight and next expiry.
 *
 * The timer is one-shot and armed anew at each tick for an absolute time of the thread's CPU
 * clock, half to one and a half periods after the last due time (not after the tick, which comes
 * up to a kernel tick late): so intervals do not beat against requests of equal length, and the
 * sum of all intervals is the CPU time, whatever the kernel's delay is (facts: a periodic timer
 * misjudged shares of 5 ms requests by up to 20 points).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_REARM_H
#define CPROF_REARM_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/attributes.h"
#include "threads.h"

/* Arms the thread's timer for its next due time after `from_ns` of its CPU clock. False if the
 * timer is gone. The ticker when it arms, the thread's handler afterwards. */
CPROF_SIGSAFE bool cprof_rearm(struct cprof_thread *thread, uint64_t from_ns, uint64_t period_ns);

/* The same for a timer's first tick. It comes after up to one period, evenly, and weighs a whole
 * one: so a thread that uses little in a window is seen as often as it should be. */
CPROF_SIGSAFE bool cprof_rearm_first(struct cprof_thread *thread, uint64_t from_ns,
                                     uint64_t period_ns);

/* A tick has come: returns its weight in ns and arms the timer again. */
CPROF_SIGSAFE uint64_t cprof_rearm_after_tick(struct cprof_thread *thread, uint64_t period_ns);

#endif
