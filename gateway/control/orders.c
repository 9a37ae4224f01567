/* orders.c - see orders.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "orders.h"

#define NS_PER_S UINT64_C(1000000000)

static void deliver(const struct cprof_orders *orders, const struct cprof_demand_result *result,
                    enum cprof_reason reason)
{
    const struct cprof_why why = {.reason = reason, .source = CPROF_SOURCE_DEMAND};

    for (unsigned i = 0; result->harvest && i < result->harvest->count; i++) {
        cprof_sinks_deliver(orders->sinks, &result->harvest->profiles[i], &why);
    }
}

static void ready(void *context, const struct cprof_demand_result *result)
{
    deliver(context, result, CPROF_REASON_COMMAND);
}

static void ready_for_routes(void *context, const struct cprof_demand_result *result)
{
    deliver(context, result, CPROF_REASON_ROUTE);
}

bool cprof_orders_profile(void *context, uint32_t kinds, uint32_t seconds, enum cprof_origin origin,
                          struct cprof_error *error)
{
    struct cprof_orders *orders = context;
    const struct cprof_demand_order order = {
        .kinds = kinds,
        .duration_ns = seconds * NS_PER_S,
        .asker = cprof_origin_name(origin),
        .ready = origin == CPROF_ORIGIN_ROUTE ? ready_for_routes : ready,
        .context = orders,
    };

    return cprof_demand_order(orders->demand, &order, error) != 0;
}
