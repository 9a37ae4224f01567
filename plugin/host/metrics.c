/* metrics.c - see metrics.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "metrics.h"

#include <stdatomic.h>

#include "../../shared/segment/figures.h"

extern struct uwsgi_server uwsgi;

#define COLLECTOR "cloudprofiler"

static const struct cprof_control *shared;

static int64_t collect(struct uwsgi_metric *metric)
{
    uintptr_t figure = (uintptr_t)metric->custom;

    return shared && figure < CPROF_FIGURE_COUNT ? atomic_load(&shared->figures[figure]) : 0;
}

/* uWSGI copies the names, and keeps the collector's. */
void cprof_metrics_register(void)
{
    static char collector[] = COLLECTOR;

    if (!uwsgi.has_metrics) {
        return;
    }
    (void)uwsgi_register_metric_collector(collector, collect);
    for (uintptr_t figure = 0; figure < CPROF_FIGURE_COUNT; figure++) {
        struct cprof_figure_text text = cprof_figure_text((enum cprof_figure)figure);
        char name[96];

        if (!text.name) {
            continue;
        }
        (void)snprintf(name, sizeof(name), "cloudprofiler.%s", text.name);
        (void)uwsgi_register_metric(name, NULL,
                                    text.counts ? UWSGI_METRIC_COUNTER : UWSGI_METRIC_GAUGE,
                                    collector, NULL, 0, (void *)figure);
    }
}

void cprof_metrics_start(const struct cprof_control *control)
{
    shared = control;
}
