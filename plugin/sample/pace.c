/* pace.c - see pace.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pace.h"

#include "../../shared/base/random.h"

/* Looks take at most one part in so many of the time. */
#define COST_PARTS 50u

/* A gap is drawn in steps, each of which is the last with a chance of one in STEP_ODDS, and ends
 * anywhere in its last step: (STEP_ODDS - 1/2) steps are its mean. */
#define STEP_ODDS 8u
#define STEPS_MAX 64u

void cprof_pace_begin(struct cprof_pace *pace, uint64_t period_ns, uint64_t seed)
{
    *pace = (struct cprof_pace){.period_ns = period_ns, .mean_ns = period_ns, .random = seed};
}

static uint64_t draw_gap(struct cprof_pace *pace)
{
    uint64_t step_ns = pace->mean_ns * 2 / (2 * STEP_ODDS - 1);
    uint64_t steps = 0;

    while (steps < STEPS_MAX && cprof_random_below(&pace->random, STEP_ODDS) != 0) {
        steps++;
    }
    return steps * step_ns + cprof_random_below(&pace->random, step_ns);
}

uint64_t cprof_pace_next(struct cprof_pace *pace, bool moved, uint64_t cost_ns)
{
    uint64_t slowest_ns =
        pace->period_ns > CPROF_PACE_MEAN_MAX_NS ? pace->period_ns : CPROF_PACE_MEAN_MAX_NS;

    pace->mean_ns = moved ? pace->period_ns : pace->mean_ns * 2;
    if (pace->mean_ns < cost_ns * COST_PARTS) {
        pace->mean_ns = cost_ns * COST_PARTS;
    }
    if (pace->mean_ns > slowest_ns) {
        pace->mean_ns = slowest_ns;
    }
    return draw_gap(pace);
}
