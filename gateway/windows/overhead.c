/* overhead.c - see overhead.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "overhead.h"

#include <stdbool.h>

#include "../../shared/segment/window.h"

#define EASED_BELOW   0.8 /* of what would slow it down again: room for chance */
#define QUIET_WINDOWS 3u

/* Of the cost: where samples are less, fewer of them do not help. */
#define SAMPLES_PART_MIN (1.0 / 3)

/* A doubling that left more of the share than this did not help, */
#define HELPED_BELOW 0.9
/* unless the load has changed meanwhile by as much as this. */
#define GREW_ABOVE   2.0

uint64_t cprof_overhead_period_ns(const struct cprof_overhead *overhead, uint64_t configured_ns)
{
    uint64_t period_ns = configured_ns;

    for (unsigned i = 0; i < overhead->doublings && period_ns < CPROF_PERIOD_NS_MAX; i++) {
        period_ns =
            period_ns > CPROF_PERIOD_NS_MAX / 2 ? (uint64_t)CPROF_PERIOD_NS_MAX : 2 * period_ns;
    }
    return period_ns;
}

static enum cprof_overhead_change slow(struct cprof_overhead *overhead, double percent,
                                       uint64_t period_ns)
{
    bool was_futile = percent > HELPED_BELOW * overhead->before_percent &&
                      percent < GREW_ABOVE * overhead->before_percent;

    overhead->quiet_windows = 0;
    if (period_ns >= CPROF_PERIOD_NS_MAX || was_futile) {
        return CPROF_OVERHEAD_SAME;
    }
    overhead->doublings++;
    overhead->before_percent = percent;
    return CPROF_OVERHEAD_SLOWED;
}

static enum cprof_overhead_change ease(struct cprof_overhead *overhead)
{
    if (overhead->doublings == 0 || ++overhead->quiet_windows < QUIET_WINDOWS) {
        return CPROF_OVERHEAD_SAME;
    }
    overhead->doublings--;
    overhead->before_percent = 0;
    overhead->quiet_windows = 0;
    return overhead->doublings == 0 ? CPROF_OVERHEAD_RESTORED : CPROF_OVERHEAD_EASED;
}

/* At half the period samples cost twice as much, and nothing else does. Would the share stay below
 * the ceiling then, or would samples be too little of it to matter? */
static bool may_ease(const struct cprof_overhead *overhead, double percent, double samples_percent)
{
    double eased_percent = percent + samples_percent;

    return eased_percent < EASED_BELOW * overhead->ceiling_percent ||
           2 * samples_percent < EASED_BELOW * SAMPLES_PART_MIN * eased_percent;
}

enum cprof_overhead_change cprof_overhead_judge(struct cprof_overhead *overhead, double percent,
                                                double samples_percent, uint64_t configured_ns,
                                                uint64_t window_period_ns)
{
    uint64_t period_ns = cprof_overhead_period_ns(overhead, configured_ns);

    if (overhead->ceiling_percent <= 0 || percent < 0 || window_period_ns != period_ns) {
        return CPROF_OVERHEAD_SAME;
    }
    if (percent > overhead->ceiling_percent && samples_percent >= SAMPLES_PART_MIN * percent) {
        return slow(overhead, percent, period_ns);
    }
    if (may_ease(overhead, percent, samples_percent)) {
        return ease(overhead);
    }
    overhead->quiet_windows = 0;
    return CPROF_OVERHEAD_SAME;
}
