/* figures.h - the figures that monitoring systems see: their names, one table for uWSGI's metrics
 * and for the gateway's own endpoint.
 *
 * Callers   the master and the gateway. Constants.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_FIGURES_H
#define CPROF_FIGURES_H

#include <stdbool.h>

#include "layout.h"

struct cprof_figure_text {
    const char *name;    /* "profiles_written", "misses_entry"; NULL: nobody shall see it */
    const char *meaning; /* one sentence without its full stop */
    bool counts;         /* only grows, but for a reload; else it goes up and down */
};

/* The text of a figure; one out of bounds has no name. */
struct cprof_figure_text cprof_figure_text(enum cprof_figure figure);

#endif
