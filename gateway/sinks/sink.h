/* sink.h - where finished profiles go.
 *
 * Callers   the gateway's thread.
 * Rule      a sink reports its own troubles, once, and never stops the gateway: a profile that
 *           cannot be delivered is dropped.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SINK_H
#define CPROF_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/segment/layout.h"

/* A finished profile of one kind: a gzip-compressed pprof file in memory, borrowed for the call.
 * A window that collects both kinds gives two, which start at the same time. */
struct cprof_finished_profile {
    enum cprof_kind kind;
    const uint8_t *bytes;
    size_t byte_count;
    uint64_t time_unix_ns; /* when it starts */
    /* A gateway before this one may have delivered the same profile and been killed before it
     * could say so. A sink that can tell does not deliver it twice. */
    bool may_be_delivered;
};

struct cprof_sink {
    /* Delivers the profile; false: it is dropped and the sink has said why. */
    bool (*deliver)(struct cprof_sink *sink, const struct cprof_finished_profile *profile);
    /* Frees the sink. */
    void (*destroy)(struct cprof_sink *sink);
};

#endif
