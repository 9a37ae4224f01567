/* sink.c - see sink.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sink.h"

#include <stdatomic.h>

#include "../../shared/segment/window.h"

bool cprof_sinks_add(struct cprof_sinks *sinks, struct cprof_sink *sink)
{
    if (!sink || sinks->count == CPROF_SINKS_MAX) {
        return false;
    }
    sinks->list[sinks->count++] = sink;
    return true;
}

void cprof_sinks_remove(struct cprof_sinks *sinks, struct cprof_sink *sink)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < sinks->count; i++) {
        if (sinks->list[i] != sink) {
            sinks->list[kept++] = sinks->list[i];
        }
    }
    sinks->count = kept;
}

void cprof_sinks_destroy(struct cprof_sinks *sinks)
{
    while (sinks->count > 0) {
        struct cprof_sink *last = sinks->list[--sinks->count];

        last->destroy(last);
    }
}

void cprof_sink_count(struct cprof_sink *sink, bool is_delivered, size_t byte_count)
{
    struct cprof_sink_counts *counts = &sink->counts;

    counts->is_failing = !is_delivered;
    counts->dropped += !is_delivered;
    if (is_delivered) {
        counts->delivered++;
        counts->bytes += byte_count;
        counts->last_unix_ns = cprof_now_unix_ns();
    }
    if (sink->control) {
        atomic_fetch_add(
            is_delivered ? &sink->control->profiles_written : &sink->control->profiles_failed, 1);
    }
}

void cprof_sink_count_lost(struct cprof_sink *sink)
{
    sink->counts.dropped++;
    sink->counts.is_failing = true;
}

void cprof_sinks_deliver(const struct cprof_sinks *sinks, struct cprof_profile *profile,
                         const struct cprof_why *why)
{
    for (unsigned i = 0; i < sinks->count; i++) {
        struct cprof_sink *sink = sinks->list[i];
        enum cprof_delivery delivery;

        if (!(sink->reasons & (uint32_t)why->reason)) {
            continue;
        }
        delivery = sink->deliver(sink, profile, why);
        if (delivery != CPROF_QUEUED) {
            cprof_sink_count(sink, delivery == CPROF_DELIVERED, profile->byte_count);
        }
    }
}
