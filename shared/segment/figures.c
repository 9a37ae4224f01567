/* figures.c - see figures.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "figures.h"

#include "counters.h"

/* In the order of enum cprof_figure, up to the counters. */
static const struct cprof_figure_text texts[CPROF_FIGURE_COUNTERS] = {
    {"samples", "Stacks taken, on the CPU and of sleeping threads", true},
    {"windows", "Windows opened", true},
    {"profiles_written", "Profiles delivered, to a directory or to Cloud Profiler", true},
    {"profiles_uploaded", "Profiles that Cloud Profiler has accepted", true},
    {"profiles_failed", "Profiles that could not be delivered", true},
    {"bytes_uploaded", "Bytes of profiles that Cloud Profiler has accepted", true},
    {"seconds_since_upload", "Seconds since the last good upload, -1 if there was none", false},
    {"log_fill", "Per cent of its log that the fullest process has used", false},
};

struct cprof_figure_text cprof_figure_text(enum cprof_figure figure)
{
    const struct cprof_counter_text counter =
        cprof_counter_text((unsigned)figure - CPROF_FIGURE_COUNTERS);

    if ((unsigned)figure < CPROF_FIGURE_COUNTERS) {
        return texts[figure];
    }
    return (struct cprof_figure_text){
        .name = !counter.meaning ? NULL
                : counter.metric ? counter.metric
                                 : counter.key,
        .meaning = counter.meaning,
        .counts = true,
    };
}
