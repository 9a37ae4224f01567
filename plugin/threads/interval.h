/* interval.h - the random times between two samples of a thread, in its CPU time.
 *
 * An interval is half to one and a half periods long, evenly: so samples do not beat with work
 * that repeats, and the next one is never so close that ticks pile up.
 *
 * A thread's first sample comes as if sampling had gone on for ever before: at the end of an
 * interval that had begun some time ago (a renewal process in equilibrium; Cox, "Renewal Theory",
 * 1962). Then a thread that uses so much CPU time is to be expected in (that time / period)
 * samples, however little it is, and their weights sum up to that time: many threads that use
 * little each are seen as one that uses as much.
 *
 * Callers   the ticker for a thread that is not sampled yet, then the thread's handler. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_INTERVAL_H
#define CPROF_INTERVAL_H

#include <stdint.h>

#include "../../shared/base/attributes.h"

/* The time until a first sample, and the interval that ends there: the sample's weight. */
struct cprof_first_interval {
    uint64_t rest_ns; /* 1 or more, at most the length */
    uint64_t length_ns;
};

/* `random` is the state of random.h's generator; a period is at most a few hours. */
CPROF_SIGSAFE uint64_t cprof_interval(uint64_t *random, uint64_t period_ns);

CPROF_SIGSAFE struct cprof_first_interval cprof_interval_first(uint64_t *random,
                                                               uint64_t period_ns);

#endif
