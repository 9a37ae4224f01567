/* budget.c - see budget.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "budget.h"

#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"

#define DURATION_NS_MIN UINT64_C(500000000)

/* Of the budget: what is within these, or passes them by no more than so many standard deviations,
 * keeps its period. */
#define KEPT_FROM  0.8
#define KEPT_UNTIL 1.1
#define KEPT_SIGMA 2.0

double cprof_budget_samples_per_s(const struct cprof_budget_measure *measure)
{
    if (measure->duration_ns < DURATION_NS_MIN) {
        return CPROF_BUDGET_UNKNOWN;
    }
    return (double)measure->samples * (double)NS_PER_S / (double)measure->duration_ns;
}

uint64_t cprof_budget_period_ns(const struct cprof_budget *budget, uint64_t set_ns)
{
    return budget->period_ns > set_ns ? budget->period_ns : set_ns;
}

static uint64_t whole_milliseconds(double period_ns)
{
    if (period_ns >= (double)CPROF_PERIOD_NS_MAX) {
        return CPROF_PERIOD_NS_MAX;
    }
    return ((uint64_t)period_ns + NS_PER_MS - 1) / NS_PER_MS * NS_PER_MS;
}

/* Is what lies beyond a bound too much for chance? Of so many expected samples, the square root is
 * one standard deviation. */
static bool is_no_chance(double beyond, double expected)
{
    return beyond > 0 && beyond * beyond > KEPT_SIGMA * KEPT_SIGMA * expected;
}

/* Does the present period keep within the budget, and is none that is shorter enough? `whole` are
 * the samples that this window would have had at the budget. */
static bool is_kept(const struct cprof_budget_measure *measure, double whole, bool is_long)
{
    double samples = (double)measure->samples;

    return !is_no_chance(samples - whole * KEPT_UNTIL, whole) &&
           !(is_long && is_no_chance(whole * KEPT_FROM - samples, whole));
}

/* At twice the period there are half the samples, whatever the load is. */
bool cprof_budget_judge(struct cprof_budget *budget, const struct cprof_budget_measure *measure,
                        uint64_t set_ns)
{
    double samples_per_s = cprof_budget_samples_per_s(measure), at_most = budget->samples_per_s;
    uint64_t period_ns = cprof_budget_period_ns(budget, set_ns);
    double whole = at_most * (double)measure->duration_ns / (double)NS_PER_S * (double)period_ns /
                   (double)measure->period_ns;

    if (at_most <= 0 || samples_per_s < 0 || is_kept(measure, whole, period_ns > set_ns)) {
        return false;
    }
    budget->period_ns = whole_milliseconds((double)measure->period_ns * samples_per_s / at_most);
    return cprof_budget_period_ns(budget, set_ns) != period_ns;
}
