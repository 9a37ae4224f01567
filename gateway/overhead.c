/* overhead.c - see overhead.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "overhead.h"

#include "../plugin/share/window.h"

#define PER_CENT        100.0
#define IDLE_PART       10 /* a worker below this part of a processor is idle */
#define EASE_BELOW_PART 2

double cprof_overhead_percent(const struct cprof_overhead_measure *measure)
{
    uint64_t idle_ns = measure->wall_ns / IDLE_PART;
    uint64_t base_ns = measure->worker_cpu_ns > idle_ns ? measure->worker_cpu_ns : idle_ns;

    return base_ns == 0 ? 0 : PER_CENT * (double)measure->own_cpu_ns / (double)base_ns;
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

static enum cprof_overhead_change slow(struct cprof_overhead *overhead, uint64_t period_ns)
{
    if (period_ns >= CPROF_PERIOD_NS_MAX) {
        return CPROF_OVERHEAD_SAME;
    }
    overhead->doublings++;
    return overhead->doublings == 1 ? CPROF_OVERHEAD_SLOWED : CPROF_OVERHEAD_SLOWED_MORE;
}

static enum cprof_overhead_change ease(struct cprof_overhead *overhead)
{
    if (overhead->doublings == 0) {
        return CPROF_OVERHEAD_SAME;
    }
    overhead->doublings--;
    return overhead->doublings == 0 ? CPROF_OVERHEAD_RESTORED : CPROF_OVERHEAD_EASED;
}

enum cprof_overhead_change cprof_overhead_judge(struct cprof_overhead *overhead, double percent,
                                                uint64_t configured_ns, uint64_t window_period_ns)
{
    uint64_t period_ns = cprof_overhead_period_ns(overhead, configured_ns);

    if (overhead->ceiling_percent <= 0 || window_period_ns != period_ns) {
        return CPROF_OVERHEAD_SAME;
    }
    if (percent > overhead->ceiling_percent) {
        return slow(overhead, period_ns);
    }
    return percent < overhead->ceiling_percent / EASE_BELOW_PART ? ease(overhead)
                                                                 : CPROF_OVERHEAD_SAME;
}
