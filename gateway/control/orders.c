/* orders.c - see orders.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "orders.h"

#include <stdatomic.h>

#include "../../shared/base/log.h"
#include "../../shared/segment/window.h"

#define NS_PER_S UINT64_C(1000000000)

static void write_file(const struct cprof_orders *orders, const struct cprof_window *window,
                       const struct cprof_harvested *profile)
{
    const struct cprof_finished_profile finished = {
        .kind = profile->kind,
        .bytes = profile->bytes,
        .byte_count = profile->byte_count,
        .time_unix_ns = window->start_unix_ns,
    };
    bool delivered;

    if (!orders->sink) {
        return;
    }
    delivered = orders->sink->deliver(orders->sink, &finished);
    atomic_fetch_add(
        delivered ? &orders->control->profiles_written : &orders->control->profiles_failed, 1);
}

static void offer_to_routes(const struct cprof_orders *orders, const struct cprof_window *window,
                            const struct cprof_harvested *profile)
{
    const struct cprof_result head = {
        .kind = profile->kind,
        .start_unix_ns = window->start_unix_ns,
        .duration_ns = window->end_ns - window->start_ns,
        .finished_ns = cprof_now_ns(),
        .byte_count = profile->byte_count,
    };

    if (orders->results && !cprof_results_put(orders->results, &head, profile->bytes)) {
        cprof_log(CPROF_LOG_WARNING,
                  "a profile of %zu bytes is too long for a route, or there is no shared "
                  "memory for it",
                  profile->byte_count);
    }
}

static void ready(void *context, const struct cprof_demand_result *result)
{
    const struct cprof_orders *orders = context;

    for (unsigned i = 0; result->harvest && i < result->harvest->count; i++) {
        write_file(orders, result->window, &result->harvest->profiles[i]);
    }
}

static void ready_for_routes(void *context, const struct cprof_demand_result *result)
{
    const struct cprof_orders *orders = context;

    ready(context, result);
    for (unsigned i = 0; result->harvest && i < result->harvest->count; i++) {
        offer_to_routes(orders, result->window, &result->harvest->profiles[i]);
    }
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
