/* pace.c - see pace.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pace.h"

#include "../../shared/base/random.h"

/* What a worker counts as using at least, as a part of a processor. */
#define LIGHT_PART 4u

/* Looks may take a third of the ceiling, scans a sixth: half of it together. */
#define CEILING_PART UINT64_C(3)
#define HUNDREDTHS   UINT64_C(10000) /* of a per cent in the whole */

/* A gap is at most this part of the time that nothing ran for. */
#define QUIET_PART 4u

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

static uint64_t longer(uint64_t left_ns, uint64_t right_ns)
{
    return left_ns > right_ns ? left_ns : right_ns;
}

static uint64_t shorter(uint64_t left_ns, uint64_t right_ns)
{
    return left_ns < right_ns ? left_ns : right_ns;
}

uint64_t cprof_pace_look_parts(uint32_t ceiling_hundredths, uint64_t used_ns, uint64_t wall_ns)
{
    uint64_t base_ns = longer(used_ns, wall_ns / LIGHT_PART), allowed_ns;

    if (ceiling_hundredths == 0 || base_ns == 0) {
        return CPROF_PACE_LOOK_PARTS_MIN;
    }
    allowed_ns = base_ns / HUNDREDTHS * ceiling_hundredths / CEILING_PART;
    return allowed_ns ? longer(wall_ns / allowed_ns, CPROF_PACE_LOOK_PARTS_MIN)
                      : CPROF_PACE_LOOK_PARTS_MIN;
}

static uint64_t affordable_ns(uint64_t cost_ns, uint64_t parts)
{
    return shorter(cost_ns * longer(parts, CPROF_PACE_LOOK_PARTS_MIN), CPROF_PACE_DEAR_MAX_NS);
}

uint64_t cprof_pace_scan_ns(uint64_t cost_ns, uint64_t parts, uint64_t least_ns)
{
    uint64_t pause_ns = shorter(2 * parts * cost_ns, CPROF_PACE_SCAN_MAX_NS);

    return longer(longer(pause_ns, cost_ns * CPROF_PACE_SCAN_PARTS_MIN), least_ns);
}

uint64_t cprof_pace_idle_ns(uint64_t quiet_ns, uint64_t least_ns)
{
    return longer(least_ns, shorter(quiet_ns / QUIET_PART, CPROF_PACE_IDLE_MAX_NS));
}

static uint64_t dear_ns(struct cprof_pace *pace, uint64_t cost_ns, uint64_t parts)
{
    uint64_t gap_ns = affordable_ns(cost_ns, parts);

    return pace->looks++ < CPROF_PACE_FIRST_LOOKS ? shorter(gap_ns, CPROF_PACE_FIRST_MAX_NS)
                                                  : gap_ns;
}

uint64_t cprof_pace_next(struct cprof_pace *pace, bool moved, uint64_t cost_ns, uint64_t parts)
{
    uint64_t slowest_ns =
        longer(pace->period_ns, cprof_pace_idle_ns(pace->quiet_ns, CPROF_PACE_MEAN_MAX_NS));

    pace->mean_ns = moved ? pace->period_ns : shorter(pace->mean_ns * 2, slowest_ns);
    pace->mean_ns = longer(pace->mean_ns, dear_ns(pace, cost_ns, parts));
    pace->quiet_ns = moved ? 0 : pace->quiet_ns + pace->mean_ns;
    return draw_gap(pace);
}
