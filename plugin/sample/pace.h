/* pace.h - when the next look at sleeping threads is due: each period while something moves, more
 * and more rarely while nothing does.
 *
 * A look that finds a new stack stands for the time since the look before. That gap's length must
 * not depend on what happens in it, and the chance to be looked at must be the same at each
 * instant: then `mean` is the right weight for what is found, whatever the gap really was (each
 * instant is sampled at the rate 1 / mean). With even gaps, a stack that was met in a long gap and
 * left in a short one would lose what it had of the short one.
 *
 * Callers   the ticker. Pure: no clock is read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PACE_H
#define CPROF_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define CPROF_PACE_MEAN_MAX_NS UINT64_C(100000000)

struct cprof_pace {
    uint64_t period_ns;
    uint64_t mean_ns; /* of gaps like the one that was planned last */
    uint64_t random;  /* state of the generator (random.h) */
};

void cprof_pace_begin(struct cprof_pace *pace, uint64_t period_ns, uint64_t seed);

/* A look has ended, which took cost_ns of CPU time; `moved`: some thread had run since the look
 * before. Returns the time until the next one. */
uint64_t cprof_pace_next(struct cprof_pace *pace, bool moved, uint64_t cost_ns);

#endif
