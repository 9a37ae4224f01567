/* route.h - the sink for profiles that routes ask for: the newest of each kind, in the memory file
 * from which workers answer (segment/results.h).
 *
 * Callers   the gateway's thread.
 * Bounds    CPROF_RESULT_BYTES_MAX a profile: a warning for each that is larger, and the one before
 *           stays.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_ROUTE_SINK_H
#define CPROF_ROUTE_SINK_H

#include "../../shared/segment/results.h"
#include "sink.h"

/* `results` is borrowed. NULL without memory. */
struct cprof_sink *cprof_route_sink_create(struct cprof_results *results);

#endif
