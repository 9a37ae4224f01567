/* figures.h - publishes the figures of shared/segment/figures.h in the control page, for uWSGI's
 * metrics.
 *
 * Callers   the gateway's thread, once a second.
 * Trust     sums of counters that workers write: they may lie, and are figures only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_GATEWAY_FIGURES_H
#define CPROF_GATEWAY_FIGURES_H

#include "../../shared/segment/segment.h"
#include "../sinks/sink.h"

/* `uploads`: of all uploaders of this gateway, zeros if there was none. */
void cprof_figures_publish(const struct cprof_segment *segment,
                           const struct cprof_sink_counts *uploads);

#endif
