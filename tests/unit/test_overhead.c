/* test_overhead.c - see gateway/overhead.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/overhead.h"

#include "../../plugin/share/window.h"
#include "expect.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

static void the_share_is_of_the_workers_own_time(void)
{
    const struct cprof_overhead_measure busy = {
        .own_cpu_ns = 50 * MS, .worker_cpu_ns = 5 * S, .wall_ns = 10 * S};

    EXPECT(cprof_overhead_percent(&busy) == 1.0);
}

static void an_idle_worker_is_no_reason_to_slow_down(void)
{
    const struct cprof_overhead_measure idle = {
        .own_cpu_ns = 5 * MS, .worker_cpu_ns = MS, .wall_ns = 10 * S};
    const struct cprof_overhead_measure absent = {.own_cpu_ns = 5 * MS};

    EXPECT(cprof_overhead_percent(&idle) == 0.5);
    EXPECT(cprof_overhead_percent(&absent) == 0);
}

static void above_the_ceiling_the_period_doubles_up_to_its_bound(void)
{
    struct cprof_overhead overhead = {.ceiling_percent = 1};

    EXPECT(cprof_overhead_judge(&overhead, 1.5, 10 * MS, 10 * MS) == CPROF_OVERHEAD_SLOWED);
    EXPECT(cprof_overhead_judge(&overhead, 1.5, 10 * MS, 20 * MS) == CPROF_OVERHEAD_SLOWED_MORE);
    EXPECT(cprof_overhead_period_ns(&overhead, 10 * MS) == 40 * MS);
    for (int i = 0; i < 100; i++) {
        uint64_t period_ns = cprof_overhead_period_ns(&overhead, 10 * MS);

        (void)cprof_overhead_judge(&overhead, 50, 10 * MS, period_ns);
    }
    EXPECT(cprof_overhead_period_ns(&overhead, 10 * MS) == CPROF_PERIOD_NS_MAX);
    EXPECT(overhead.doublings == 7); /* 1280 ms, bounded: none is left over to take back */
}

static void below_half_of_it_the_period_comes_back(void)
{
    struct cprof_overhead overhead = {.ceiling_percent = 1, .doublings = 2};

    EXPECT(cprof_overhead_judge(&overhead, 0.5, 10 * MS, 40 * MS) == CPROF_OVERHEAD_SAME);
    EXPECT(cprof_overhead_judge(&overhead, 0.49, 10 * MS, 40 * MS) == CPROF_OVERHEAD_EASED);
    EXPECT(cprof_overhead_judge(&overhead, 0.49, 10 * MS, 20 * MS) == CPROF_OVERHEAD_RESTORED);
    EXPECT(cprof_overhead_judge(&overhead, 0.1, 10 * MS, 10 * MS) == CPROF_OVERHEAD_SAME);
    EXPECT(cprof_overhead_period_ns(&overhead, 10 * MS) == 10 * MS);
}

static void windows_of_another_period_are_not_judged(void)
{
    struct cprof_overhead overhead = {.ceiling_percent = 1, .doublings = 1};

    EXPECT(cprof_overhead_judge(&overhead, 9, 10 * MS, 10 * MS) == CPROF_OVERHEAD_SAME);
    EXPECT(cprof_overhead_judge(&overhead, 0, 10 * MS, 100 * MS) == CPROF_OVERHEAD_SAME);
    EXPECT(overhead.doublings == 1);
}

static void a_changed_setting_keeps_the_stretch(void)
{
    const struct cprof_overhead overhead = {.ceiling_percent = 1, .doublings = 1};

    EXPECT(cprof_overhead_period_ns(&overhead, 10 * MS) == 20 * MS);
    EXPECT(cprof_overhead_period_ns(&overhead, 50 * MS) == 100 * MS);
    EXPECT(cprof_overhead_period_ns(&overhead, CPROF_PERIOD_NS_MAX) == CPROF_PERIOD_NS_MAX);
}

static void without_a_ceiling_nothing_changes(void)
{
    struct cprof_overhead overhead = {0};

    EXPECT(cprof_overhead_judge(&overhead, 99, 10 * MS, 10 * MS) == CPROF_OVERHEAD_SAME);
}

int main(void)
{
    RUN(the_share_is_of_the_workers_own_time);
    RUN(an_idle_worker_is_no_reason_to_slow_down);
    RUN(above_the_ceiling_the_period_doubles_up_to_its_bound);
    RUN(below_half_of_it_the_period_comes_back);
    RUN(windows_of_another_period_are_not_judged);
    RUN(a_changed_setting_keeps_the_stretch);
    RUN(without_a_ceiling_nothing_changes);
    return 0;
}
