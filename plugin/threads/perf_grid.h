/* perf_grid.h - which overflows of a thread's perf event are samples, and what each stands for.
 *
 * The kernel repeats an event's period exactly. Work that repeats, too, would meet it at the same
 * few points for a whole window, and a thread that uses less than a period would never be met.
 * Only who holds the event's descriptor can change the period, and that is the ticker, with a
 * descriptor table of its own. So the period is no more than a grid:
 *
 *   - samples are due at random intervals of the thread's CPU time (interval.h), and each is taken
 *     at the overflow that is nearest: the handler reads the thread's clock and decides;
 *   - the grid's step is random and the ticker draws another one from time to time;
 *   - a thread begins with a step as long as its first sample is away, so that it comes in time
 *     even if the thread does little more. A long window soon goes over to steps of half to one
 *     period, of which two of three are samples.
 *
 * An overflow that the kernel keeps to itself, since it met kernel mode, takes what was due around
 * it along: so the samples' weights sum up to the user time. No step is so short that overflows
 * pile up.
 *
 * Callers   as said at each function. The steps are the ticker's, what is due the handler's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PERF_GRID_H
#define CPROF_PERF_GRID_H

#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "threads.h"

/* A thread begins, at now_ns of its CPU clock; `seed` is different each time. Returns the step. The
 * ticker, before there are overflows. */
uint64_t cprof_perf_grid_begin(struct cprof_perf_grid *grid, uint64_t period_ns, uint64_t now_ns,
                               uint64_t seed);

/* The thread has used used_ns more of CPU time. Returns the step from now on if it is time for
 * another one, which begins at once, else 0. The ticker. */
uint64_t cprof_perf_grid_follow(struct cprof_perf_grid *grid, uint64_t period_ns, uint64_t used_ns);

/* The period is another one: returns the step from now on. What is due next stays due then. The
 * ticker. */
uint64_t cprof_perf_grid_change(struct cprof_perf_grid *grid, uint64_t period_ns);

/* What it costs on average, in a long window, to set the event's timer and to cancel it: near_ns
 * where the grid's next point comes before the next of ticks that are tick_ns apart, else far_ns.
 * Any figures are fine; a little too much where steps are shorter than ticks. */
uint64_t cprof_perf_grid_switch_ns(uint64_t period_ns, uint64_t tick_ns, uint64_t far_ns,
                                   uint64_t near_ns);

/* An overflow at now_ns of the thread's CPU clock. Returns the weight of the sample that it is,
 * or 0: it is none. The thread's handler. */
CPROF_SIGSAFE uint64_t cprof_perf_grid_take(struct cprof_perf_grid *grid, uint64_t period_ns,
                                            uint64_t now_ns);

#endif
