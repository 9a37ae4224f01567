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
        .percent = CPROF_OVERHEAD_UNKNOWN,
    };
}

uint32_t cprof_ceiling_period_ms(const struct cprof_ceiling *ceiling, uint32_t set_ms)
{
    return (uint32_t)(cprof_overhead_period_ns(&ceiling->rule, set_ms * NS_PER_MS) / NS_PER_MS);
}

static void say(const struct cprof_ceiling *ceiling, const struct cprof_harvest *harvest,
                enum cprof_overhead_change change, uint32_t set_ms)
{
    double ceiling_percent = ceiling->rule.ceiling_percent;
    uint32_t period_ms = cprof_ceiling_period_ms(ceiling, set_ms);
    char name[CPROF_SLOT_NAME_BYTES];

    if (change == CPROF_OVERHEAD_SLOWED) {
        cprof_slot_name(name, harvest->worst_kind, harvest->worst_number);
        cprof_log(CPROF_LOG_WARNING,
                  "profiling took %.2f %% of the CPU time of %s, more than "
                  "cloudprofiler-max-overhead (%.2f): one sample each %u ms from now on, not "
                  "each %u ms",
                  ceiling->percent, name, ceiling_percent, period_ms, set_ms);
        return;
    }
    cprof_log(CPROF_LOG_INFO,
              "profiling took at most %.2f %% of a worker's CPU time, well below "
              "cloudprofiler-max-overhead (%.2f): one sample each %u ms from now on%s",
              ceiling->percent, ceiling_percent, period_ms,
              change == CPROF_OVERHEAD_RESTORED ? ", as is set" : "");
}

void cprof_ceiling_window_ended(struct cprof_ceiling *ceiling,
                                const struct cprof_window_result *result, uint32_t set_ms)
{
    const struct cprof_harvest *harvest = result->harvest;
    uint64_t period_ns = cprof_ceiling_period_ms(ceiling, set_ms) * NS_PER_MS;
    enum cprof_overhead_change change;

    if (!harvest || !result->steady || harvest->worst_percent < 0 ||
        result->window->period_ns != period_ns) {
        return;
    }
    ceiling->percent = harvest->worst_percent;
    change = cprof_overhead_judge(&ceiling->rule, ceiling->percent, set_ms * NS_PER_MS, period_ns);
    if (change != CPROF_OVERHEAD_SAME) {
        say(ceiling, harvest, change, set_ms);
    }
}
