/* ceiling.h - holds the profiler below cloudprofiler-max-overhead and cloudprofiler-max-samples and
 * says so.
 *
 * One period is the answer to both. The budget of samples comes first: a window that had too many
 * is not judged by its cost, because the next ones have fewer. What still costs too much then has a
 * period that is longer yet.
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
#include "budget.h"
#include "overhead.h"
#include "windows.h"

struct cprof_ceiling {
    struct cprof_overhead rule;
    struct cprof_budget budget;
    /* All that the worker paid that is worst off without looks that give way, in the last window
     * that could be judged; or CPROF_OVERHEAD_UNKNOWN. */
    double percent;
    double samples_per_s; /* of all slots, in the last window; or CPROF_BUDGET_UNKNOWN */
};

void cprof_ceiling_init(struct cprof_ceiling *ceiling, const struct cprof_config *config);

/* The period in ms to order windows with, for the one that is set: that one or a longer one. */
uint32_t cprof_ceiling_period_ms(const struct cprof_ceiling *ceiling, uint32_t set_ms);

/* A window has ended while set_ms was set. If the period to order windows with is another one now,
 * that is logged. */
void cprof_ceiling_window_ended(struct cprof_ceiling *ceiling,
                                const struct cprof_window_result *result, uint32_t set_ms);

#endif
