/* pace.c - see pace.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pace.h"

#include "../../shared/base/random.h"

/* Looks may take a third of the ceiling whatever all else takes, scans a sixth: the ticker's part
 * (CPROF_TICKER_PART) together. */
#define LOOKS_PART UINT64_C(3)
#define SCANS_PART UINT64_C(6)
#define HUNDREDTHS UINT64_C(10000) /* of a per cent in the whole */

/* Tenths of the ceiling that looks may fill up. */
#define FILLED_TENTHS UINT64_C(9)

/* In this time looks make up for what they took too much or too little of, at half or twice the
 * rate that is right in the long run. */
#define PLAN_NS UINT64_C(5000000000)

/* A gap is at most this part of the time that nothing ran for. */
#define QUIET_PART 4u

/* A gap is drawn in steps, each of which is the last with a chance of one in STEP_ODDS, and ends
 * anywhere in its last step: (STEP_ODDS - 1/2) steps are its mean. */
#define STEP_ODDS 8u
#define STEPS_MAX 64u

void cprof_pace_begin(struct cprof_pace *pace, uint64_t period_ns, uint64_t quiet_ns, uint64_t seed)
{
    *pace = (struct cprof_pace){
        .period_ns = period_ns,
        .mean_ns = cprof_pace_idle_ns(quiet_ns, period_ns),
        .quiet_ns = quiet_ns,
        .random = seed,
    };
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

static uint64_t left_of(uint64_t whole_ns, uint64_t taken_ns)
{
    return whole_ns > taken_ns ? whole_ns - taken_ns : 0;
}

static uint64_t part_of(uint64_t base_ns, uint32_t ceiling_hundredths)
{
    return base_ns / HUNDREDTHS * ceiling_hundredths;
}

/* At most one part of a processor in so many, below which scans take allowed_ns in wall_ns, or one
 * each longest_ns. */
static uint64_t scan_pause_ns(uint64_t cost_ns, uint64_t wall_ns, uint64_t allowed_ns,
                              uint64_t longest_ns)
{
    double pause_ns = (double)cost_ns * (double)wall_ns / (double)longer(allowed_ns, 1);
    uint64_t least_ns = cost_ns * CPROF_PACE_SCAN_PARTS_MIN;

    return longer(pause_ns < (double)longest_ns ? (uint64_t)pause_ns : longest_ns, least_ns);
}

uint64_t cprof_pace_scan_ns(const struct cprof_ledger *ledger, uint32_t ceiling_hundredths,
                            uint64_t cost_ns, uint64_t least_ns)
{
    uint64_t allowed_ns = part_of(cprof_ledger_base_ns(ledger), ceiling_hundredths) / SCANS_PART;

    return longer(scan_pause_ns(cost_ns, ceiling_hundredths ? ledger->wall_ns : 0, allowed_ns,
                                CPROF_PACE_SCAN_MAX_NS),
                  least_ns);
}

uint64_t cprof_pace_lazy_scan_ns(const struct cprof_ledger *ledger, uint32_t ceiling_hundredths,
                                 uint64_t cost_ns, uint64_t least_ns)
{
    uint64_t allowed_ns = part_of(ledger->worker_ns, ceiling_hundredths) / SCANS_PART;

    return longer(scan_pause_ns(cost_ns, ceiling_hundredths ? ledger->wall_ns : 0, allowed_ns,
                                CPROF_PACE_LAZY_MAX_NS),
                  least_ns);
}

/* Until now. */
static uint64_t allowed_for_looks_ns(const struct cprof_ledger *ledger, uint64_t whole_ns,
                                     uint64_t looks_ns)
{
    uint64_t others_ns = cprof_ledger_sum_ns(ledger) - looks_ns;

    return longer(whole_ns / LOOKS_PART, left_of(whole_ns / 10 * FILLED_TENTHS, others_ns));
}

uint64_t cprof_pace_look_parts(const struct cprof_ledger *ledger, uint32_t ceiling_hundredths,
                               uint64_t scans_ns)
{
    uint64_t looks_ns = left_of(ledger->cost_ns[CPROF_COST_TICKER], scans_ns);
    uint64_t whole_ns = part_of(cprof_ledger_base_ns(ledger), ceiling_hundredths);
    uint64_t allowed_ns, usual_ns, next_ns;

    if (whole_ns == 0 || ledger->wall_ns == 0) {
        return CPROF_PACE_LOOK_PARTS_MIN;
    }
    allowed_ns = allowed_for_looks_ns(ledger, whole_ns, looks_ns);
    usual_ns = (uint64_t)((double)allowed_ns / (double)ledger->wall_ns * (double)PLAN_NS);
    next_ns = left_of(usual_ns + allowed_ns, looks_ns);
    next_ns = shorter(longer(next_ns, usual_ns / 2), usual_ns * 2);
    return next_ns ? longer(PLAN_NS / next_ns, CPROF_PACE_LOOK_PARTS_MIN)
                   : CPROF_PACE_LOOK_PARTS_MIN;
}

static uint64_t affordable_ns(uint64_t cost_ns, uint64_t parts)
{
    return shorter(cost_ns * longer(parts, CPROF_PACE_LOOK_PARTS_MIN), CPROF_PACE_DEAR_MAX_NS);
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
