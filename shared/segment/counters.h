/* counters.h - how the counters of a slot are shown: one row for each, from which profile comments,
 * /status and the metrics are made.
 *
 * A new counter takes a line in enum cprof_counter, a row here and whoever counts it. Copies, sums,
 * differences and outputs go through all of them.
 *
 * Callers   the master and the gateway. Constants.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_COUNTERS_H
#define CPROF_COUNTERS_H

#include <stdbool.h>

#include "layout.h"

/* When a counter stands in the comments: of a slot, and as the sum of all slots. */
enum cprof_shown {
    CPROF_SHOWN_ALWAYS,
    CPROF_SHOWN_COUNTED,   /* above 0 */
    CPROF_SHOWN_IN_SUMS,   /* of a slot above 0, as a sum always */
    CPROF_SHOWN_WITH_PERF, /* of a slot with perf events, as a sum always */
    CPROF_SHOWN_WALL,      /* in wall profiles */
};

struct cprof_counter_text {
    enum cprof_shown shown;
    bool counts_threads; /* met once in a window: no sum, from which an earlier one is taken off */
    const char *key;     /* in a slot's comment, in /status: "tags_lost"; NULL: stands in neither */
    const char *title;   /* before the sum of all slots: "tags lost"; NULL: the sum is not shown */
    const char *note;    /* behind that sum; NULL: nothing */
    const char *metric;  /* NULL: the key */
    const char *meaning; /* of the metric, one sentence without its full stop; NULL: is no metric */
};

/* The text of a counter; one out of bounds has none and is never shown. */
struct cprof_counter_text cprof_counter_text(unsigned counter);

/* The reason for which a tick gave no stack, in one word; "unknown" for anything else. */
const char *cprof_miss_name(unsigned miss);

#endif
