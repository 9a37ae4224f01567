/* route.c - see route.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "route.h"

#include <stdlib.h>

#include "../../shared/base/log.h"
#include "../../shared/segment/window.h"

struct route_sink {
    struct cprof_sink sink;
    struct cprof_results *results;
};

static enum cprof_delivery deliver(struct cprof_sink *base, struct cprof_profile *profile,
                                   const struct cprof_why *why)
{
    struct cprof_result head = {
        .kind = profile->table.kind,
        .start_unix_ns = profile->table.time_unix_ns,
        .duration_ns = profile->table.duration_ns,
        .finished_ns = cprof_now_ns(),
    };
    struct cprof_error error;

    (void)why;
    if (cprof_profile_pack(profile, &error)) {
        head.byte_count = profile->byte_count;
        if (cprof_results_put(((struct route_sink *)base)->results, &head, profile->bytes)) {
            return CPROF_DELIVERED;
        }
        cprof_fail(&error,
                   "a profile of %zu bytes is too long for a route, or there is no shared memory "
                   "for it",
                   profile->byte_count);
    }
    cprof_log(CPROF_LOG_WARNING, "%s", error.text);
    return CPROF_DROPPED;
}

static void destroy(struct cprof_sink *base)
{
    free(base);
}

struct cprof_sink *cprof_route_sink_create(struct cprof_results *results)
{
    struct route_sink *sink = calloc(1, sizeof(*sink));

    if (!sink) {
        return NULL;
    }
    sink->sink =
        (struct cprof_sink){.reasons = CPROF_REASON_ROUTE, .deliver = deliver, .destroy = destroy};
    sink->results = results;
    return &sink->sink;
}
