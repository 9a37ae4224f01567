/* metrics.h - cloudprofiler.* among uWSGI's metrics: the stats server's JSON, uwsgitop, pushers.
 *
 * The figures are the gateway's; uWSGI's collector, a thread of the master, copies them from shared
 * memory once a second.
 *
 * Callers   the master at its start.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_METRICS_H
#define CPROF_METRICS_H

#include "../../shared/segment/layout.h"

/* In init. Does nothing where metrics are not enabled. */
void cprof_metrics_register(void);

/* In postinit_apps; until then all figures are 0. `control` lives as long as the process. */
void cprof_metrics_start(const struct cprof_control *control);

#endif
