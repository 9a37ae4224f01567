/* overhead.c - see overhead.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "overhead.h"

#include <stdbool.h>

#include "../../shared/segment/window.h"

#define PER_CENT      100.0
#define IDLE_PART     10 /* a worker below this part of a processor is idle */
#define LIGHT_PART    4  /* and one below this is judged as if it had used that much */
#define WALL_NS_MIN   UINT64_C(500000000)
#define EASE_BELOW    0.4 /* of the ceiling: room for twice the cost and for chance */
#define QUIET_WINDOWS 3u

/* A doubling that left more of the share than this did not help, */
#define HELPED_BELOW 0.9
/* unless the load has changed meanwhile by as much as this. */
#define GREW_ABOVE   2.0

static uint64_t bounded_sum(uint64_t left, uint64_t right)
{
    return left > UINT64_MAX - right ? UINT64_MAX : left + right;
}

double cprof_overhead_percent(const struct cprof_overhead_measure *measure)
{
    uint64_t own_ns = bounded_sum(measure->handler_cpu_ns, measure->ticker_cpu_ns);
    uint64_t light_ns = measure->wall_ns / LIGHT_PART, base_ns = measure->worker_cpu_ns;

    if (measure->wall_ns < WALL_NS_MIN || base_ns < measure->wall_ns / IDLE_PART) {
        return CPROF_OVERHEAD_UNKNOWN;
    }
    base_ns = base_ns > light_ns ? base_ns : light_ns;
    return PER_CENT * (double)own_ns / (double)base_ns;
}

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

enum cprof_overhead_change cprof_overhead_judge(struct cprof_overhead *overhead, double percent,
                                                uint64_t configured_ns, uint64_t window_period_ns)
{
    uint64_t period_ns = cprof_overhead_period_ns(overhead, configured_ns);

    if (overhead->ceiling_percent <= 0 || percent < 0 || window_period_ns != period_ns) {
        return CPROF_OVERHEAD_SAME;
    }
    if (percent > overhead->ceiling_percent) {
        return slow(overhead, percent, period_ns);
    }
    if (percent < overhead->ceiling_percent * EASE_BELOW) {
        return ease(overhead);
    }
    overhead->quiet_windows = 0;
    return CPROF_OVERHEAD_SAME;
}
