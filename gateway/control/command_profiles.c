/* command_profiles.c - see command_profiles.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "command_profiles.h"

#include "../../shared/base/units.h"
#include "../askers/hand_over.h"

static void deliver(const struct cprof_command_profiles *profiles,
                    const struct cprof_demand_result *result, enum cprof_reason reason)
{
    const struct cprof_why why = {
        .reason = reason, .source = CPROF_SOURCE_DEMAND, .hold = result->hold};

    cprof_hand_over(profiles->sinks, result->harvest, &why);
}

static void ready(void *context, const struct cprof_demand_result *result)
{
    deliver(context, result, CPROF_REASON_COMMAND);
}

static void ready_for_routes(void *context, const struct cprof_demand_result *result)
{
    deliver(context, result, CPROF_REASON_ROUTE);
}

bool cprof_command_profiles_take(void *context, uint32_t kinds, uint32_t seconds,
                                 enum cprof_origin origin, struct cprof_error *error)
{
    struct cprof_command_profiles *profiles = context;
    const struct cprof_demand_order order = {
        .kinds = kinds,
        .duration_ns = seconds * NS_PER_S,
        .asker = cprof_origin_name(origin),
        .ready = origin == CPROF_ORIGIN_ROUTE ? ready_for_routes : ready,
        .context = profiles,
    };

    return cprof_demand_order(profiles->demand, &order, error) != 0;
}
