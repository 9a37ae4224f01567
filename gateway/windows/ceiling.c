/* ceiling.c - see ceiling.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ceiling.h"

#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "../profile/slot_name.h"

#define HUNDREDTHS 100.0

void cprof_ceiling_init(struct cprof_ceiling *ceiling, const struct cprof_config *config)
{
    *ceiling = (struct cprof_ceiling){
        .rule.ceiling_percent = config->max_overhead_hundredths / HUNDREDTHS,
        .budget.samples_per_s = config->max_samples,
        .percent = CPROF_OVERHEAD_UNKNOWN,
        .samples_per_s = CPROF_BUDGET_UNKNOWN,
    };
}

/* What the budget asks for; the ceiling stretches it further. */
static uint64_t base_ns(const struct cprof_ceiling *ceiling, uint32_t set_ms)
{
    return cprof_budget_period_ns(&ceiling->budget, set_ms * NS_PER_MS);
}

uint32_t cprof_ceiling_period_ms(const struct cprof_ceiling *ceiling, uint32_t set_ms)
{
    return (uint32_t)(cprof_overhead_period_ns(&ceiling->rule, base_ns(ceiling, set_ms)) /
                      NS_PER_MS);
}

static const char *as_is_set(uint32_t period_ms, uint32_t set_ms)
{
    return period_ms == set_ms ? ", as is set" : "";
}

static void say_cost(const struct cprof_ceiling *ceiling, const struct cprof_harvest *harvest,
                     enum cprof_overhead_change change, uint32_t set_ms)
{
    double ceiling_percent = ceiling->rule.ceiling_percent;
    uint32_t period_ms = cprof_ceiling_period_ms(ceiling, set_ms);
    char name[CPROF_SLOT_NAME_BYTES];

    cprof_slot_name(name, harvest->worst_kind, harvest->worst_number);
    if (change == CPROF_OVERHEAD_SLOWED) {
        cprof_log(CPROF_LOG_WARNING,
                  "profiling took %.2f %% of the CPU time of %s, more than "
                  "cloudprofiler-max-overhead (%.2f): one sample each %u ms from now on, not "
                  "each %u ms",
                  ceiling->percent, name, ceiling_percent, period_ms, set_ms);
        return;
    }
    cprof_log(CPROF_LOG_INFO,
              "profiling took %.2f %% of the CPU time of %s, %.2f %% for samples, where "
              "cloudprofiler-max-overhead is %.2f: one sample each %u ms from now on%s",
              ceiling->percent, name, harvest->worst_samples_percent, ceiling_percent, period_ms,
              as_is_set(period_ms, set_ms));
}

/* No warning: totals are right, and shares as exact as the budget promises. */
static void say_samples(const struct cprof_ceiling *ceiling, uint32_t set_ms)
{
    uint32_t period_ms = cprof_ceiling_period_ms(ceiling, set_ms);

    cprof_log(CPROF_LOG_INFO,
              "all processes together gave %.0f samples a second, where cloudprofiler-max-samples "
              "is %u: one sample each %u ms from now on%s",
              ceiling->samples_per_s, ceiling->budget.samples_per_s, period_ms,
              as_is_set(period_ms, set_ms));
}

/* Returns whether the period is another one now. */
static bool judge_samples(struct cprof_ceiling *ceiling, const struct cprof_window_result *result,
                          uint32_t set_ms)
{
    const struct cprof_window *window = result->window;
    const struct cprof_budget_measure measure = {
        .samples = result->harvest->samples,
        .duration_ns = result->harvest->duration_ns,
        .period_ns = window->period_ns,
    };
    double samples_per_s = cprof_budget_samples_per_s(&measure);

    if (samples_per_s < 0) {
        return false;
    }
    ceiling->samples_per_s = samples_per_s;
    if (!cprof_budget_judge(&ceiling->budget, &measure, set_ms * NS_PER_MS)) {
        return false;
    }
    say_samples(ceiling, set_ms);
    return true;
}

static void judge_cost(struct cprof_ceiling *ceiling, const struct cprof_harvest *harvest,
                       uint64_t period_ns, uint32_t set_ms)
{
    enum cprof_overhead_change change =
        cprof_overhead_judge(&ceiling->rule, harvest->worst_firm_percent,
                             harvest->worst_samples_percent, base_ns(ceiling, set_ms), period_ns);

    if (change != CPROF_OVERHEAD_SAME) {
        say_cost(ceiling, harvest, change, set_ms);
    }
}

void cprof_ceiling_window_ended(struct cprof_ceiling *ceiling,
                                const struct cprof_window_result *result, uint32_t set_ms)
{
    const struct cprof_harvest *harvest = result->harvest;
    uint64_t period_ns = cprof_ceiling_period_ms(ceiling, set_ms) * NS_PER_MS;
    bool is_of_period, is_judged;

    if (!harvest || !result->steady) {
        return;
    }
    is_of_period = harvest->worst_percent >= 0 && result->window->period_ns == period_ns;
    if (is_of_period) {
        ceiling->percent = harvest->worst_percent;
    }
    is_judged = judge_samples(ceiling, result, set_ms);
    if (is_of_period && !is_judged) {
        judge_cost(ceiling, harvest, period_ns, set_ms);
    }
}
