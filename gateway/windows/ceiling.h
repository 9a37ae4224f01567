/* ceiling.h - holds the profiler's cost below cloudprofiler-max-overhead and says so.
 *
 * Callers   the gateway's thread.
 * Memory    the caller's; nothing to give back.
 * Life      a gateway's: the next one begins with the configured period.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CEILING_H
#define CPROF_CEILING_H

#include <stdint.h>

#include "../../shared/base/config.h"
#include "overhead.h"
#include "windows.h"

struct cprof_ceiling {
    struct cprof_overhead rule;
    double percent; /* of the worker that paid most in the last window that could be judged, or
                     * CPROF_OVERHEAD_UNKNOWN */
};

void cprof_ceiling_init(struct cprof_ceiling *ceiling, const struct cprof_config *config);

/* The period in ms to order windows with, for the one that is set: a multiple of it. */
uint32_t cprof_ceiling_period_ms(const struct cprof_ceiling *ceiling, uint32_t set_ms);

/* A window has ended while set_ms was set. If the period to order windows with is another one now,
 * that is logged. */
void cprof_ceiling_window_ended(struct cprof_ceiling *ceiling,
                                const struct cprof_window_result *result, uint32_t set_ms);

#endif
