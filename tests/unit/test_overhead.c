/* test_overhead.c - see gateway/windows/overhead.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/windows/overhead.h"

#include "../../shared/segment/window.h"
#include "expect.h"

#define MS UINT64_C(1000000)

/* A window of the period in force. */
static enum cprof_overhead_change judge(struct cprof_overhead *overhead, double percent)
{
    uint64_t period_ns = cprof_overhead_period_ns(overhead, 10 * MS);

    return cprof_overhead_judge(overhead, percent, percent, 10 * MS, period_ns);
}

static void above_the_ceiling_the_period_doubles_as_long_as_that_helps(void)
{
    struct cprof_overhead overhead = {.ceiling_percent = 1};

    EXPECT(judge(&overhead, 5) == CPROF_OVERHEAD_SLOWED);
    EXPECT(cprof_overhead_period_ns(&overhead, 10 * MS) == 20 * MS);
    EXPECT(judge(&overhead, 3) == CPROF_OVERHEAD_SLOWED);
    EXPECT(cprof_overhead_period_ns(&overhead, 10 * MS) == 40 * MS);
    EXPECT(judge(&overhead, 2.9) == CPROF_OVERHEAD_SAME);
    EXPECT(judge(&overhead, 3.1) == CPROF_OVERHEAD_SAME);
    EXPECT(cprof_overhead_period_ns(&overhead, 10 * MS) == 40 * MS);
    EXPECT(judge(&overhead, 6) == CPROF_OVERHEAD_SLOWED); /* the load is another one */
}

static void what_samples_do_not_cost_is_no_reason_for_fewer(void)
{
    struct cprof_overhead overhead = {.ceiling_percent = 1};

    EXPECT(cprof_overhead_judge(&overhead, 6, 1.9, 10 * MS, 10 * MS) == CPROF_OVERHEAD_SAME);
    EXPECT(overhead.doublings == 0);
    EXPECT(cprof_overhead_judge(&overhead, 6, 2.1, 10 * MS, 10 * MS) == CPROF_OVERHEAD_SLOWED);
}

/* A ticker may take half of the ceiling for ever: the period gets shorter all the same. */
static void what_samples_do_not_cost_does_not_keep_the_period_long(void)
{
    struct cprof_overhead overhead = {.ceiling_percent = 1, .doublings = 2};

    for (int i = 0; i < 3; i++) {
        (void)cprof_overhead_judge(&overhead, 0.65, 0.1, 10 * MS, 40 * MS);
    }
    EXPECT(overhead.doublings == 1);
    for (int i = 0; i < 6; i++) {
        (void)cprof_overhead_judge(&overhead, 0.65, 0.2, 10 * MS, 20 * MS);
    }
    EXPECT(overhead.doublings == 1);
    for (int i = 0; i < 3; i++) { /* the ticker alone is above the ceiling */
        (void)cprof_overhead_judge(&overhead, 2, 0.2, 10 * MS, 20 * MS);
    }
    EXPECT(overhead.doublings == 0);
    EXPECT(cprof_overhead_judge(&overhead, 2.2, 0.4, 10 * MS, 10 * MS) == CPROF_OVERHEAD_SAME);
}

static void the_period_has_an_upper_bound(void)
{
    struct cprof_overhead overhead = {.ceiling_percent = 1};

    for (int i = 0; i < 100; i++) {
        (void)judge(&overhead, i % 2 ? 10 : 50);
    }
    EXPECT(cprof_overhead_period_ns(&overhead, 10 * MS) == CPROF_PERIOD_NS_MAX);
    EXPECT(overhead.doublings == 7); /* 1280 ms, bounded: none is left over to take back */
}

static void three_windows_well_below_it_bring_the_period_back(void)
{
    struct cprof_overhead overhead = {.ceiling_percent = 1, .doublings = 2};

    EXPECT(judge(&overhead, 0.3) == CPROF_OVERHEAD_SAME);
    EXPECT(judge(&overhead, 0.3) == CPROF_OVERHEAD_SAME);
    EXPECT(judge(&overhead, 0.3) == CPROF_OVERHEAD_EASED);
    EXPECT(cprof_overhead_period_ns(&overhead, 10 * MS) == 20 * MS);
    EXPECT(judge(&overhead, 0.3) == CPROF_OVERHEAD_SAME);
    EXPECT(judge(&overhead, 0.3) == CPROF_OVERHEAD_SAME);
    EXPECT(judge(&overhead, 0.3) == CPROF_OVERHEAD_RESTORED);
    EXPECT(cprof_overhead_period_ns(&overhead, 10 * MS) == 10 * MS);
    for (int i = 0; i < 5; i++) {
        EXPECT(judge(&overhead, 0.3) == CPROF_OVERHEAD_SAME);
    }
}

static void one_window_that_is_not_so_low_begins_the_count_anew(void)
{
    struct cprof_overhead overhead = {.ceiling_percent = 1, .doublings = 1};

    for (int i = 0; i < 5; i++) {
        EXPECT(judge(&overhead, 0.3) == CPROF_OVERHEAD_SAME);
        EXPECT(judge(&overhead, 0.3) == CPROF_OVERHEAD_SAME);
        EXPECT(judge(&overhead, 0.5) == CPROF_OVERHEAD_SAME);
    }
    EXPECT(overhead.doublings == 1);
}

static void a_period_that_was_taken_back_can_be_doubled_again(void)
{
    struct cprof_overhead overhead = {.ceiling_percent = 1};

    EXPECT(judge(&overhead, 1.5) == CPROF_OVERHEAD_SLOWED);
    for (int i = 0; i < 3; i++) {
        (void)judge(&overhead, 0.3);
    }
    EXPECT(overhead.doublings == 0);
    EXPECT(judge(&overhead, 1.5) == CPROF_OVERHEAD_SLOWED);
}

static void windows_of_another_period_are_not_judged(void)
{
    struct cprof_overhead overhead = {.ceiling_percent = 1, .doublings = 1};

    EXPECT(cprof_overhead_judge(&overhead, 9, 9, 10 * MS, 10 * MS) == CPROF_OVERHEAD_SAME);
    EXPECT(cprof_overhead_judge(&overhead, 9, 9, 10 * MS, 100 * MS) == CPROF_OVERHEAD_SAME);
    EXPECT(overhead.doublings == 1);
}

static void an_unknown_share_changes_nothing(void)
{
    struct cprof_overhead overhead = {.ceiling_percent = 1, .doublings = 1};

    for (int i = 0; i < 5; i++) {
        EXPECT(judge(&overhead, CPROF_OVERHEAD_UNKNOWN) == CPROF_OVERHEAD_SAME);
    }
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

    EXPECT(cprof_overhead_judge(&overhead, 99, 99, 10 * MS, 10 * MS) == CPROF_OVERHEAD_SAME);
}

int main(void)
{
    RUN(above_the_ceiling_the_period_doubles_as_long_as_that_helps);
    RUN(what_samples_do_not_cost_is_no_reason_for_fewer);
    RUN(what_samples_do_not_cost_does_not_keep_the_period_long);
    RUN(the_period_has_an_upper_bound);
    RUN(three_windows_well_below_it_bring_the_period_back);
    RUN(one_window_that_is_not_so_low_begins_the_count_anew);
    RUN(a_period_that_was_taken_back_can_be_doubled_again);
    RUN(windows_of_another_period_are_not_judged);
    RUN(an_unknown_share_changes_nothing);
    RUN(a_changed_setting_keeps_the_stretch);
    RUN(without_a_ceiling_nothing_changes);
    return 0;
}
