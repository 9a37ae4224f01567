/* test_budget.c - see gateway/windows/budget.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/windows/budget.h"

#include "../../shared/segment/window.h"
#include "expect.h"

#define MS     UINT64_C(1000000)
#define S      UINT64_C(1000000000)
#define SET_NS (10 * MS)

static struct cprof_budget budget;

static void begin_test(uint32_t samples_per_s)
{
    budget = (struct cprof_budget){.samples_per_s = samples_per_s};
}

static uint64_t period_ns(void)
{
    return cprof_budget_period_ns(&budget, SET_NS);
}

/* A window of 10 s and the period in force, while so many processors are busy. Returns whether the
 * period is another one behind it. */
static bool run_window(uint64_t processors)
{
    const struct cprof_budget_measure measure = {.samples = processors * 10 * S / period_ns(),
                                                 .duration_ns = 10 * S,
                                                 .period_ns = period_ns()};

    return cprof_budget_judge(&budget, &measure, SET_NS);
}

static void within_the_budget_nothing_changes(void)
{
    begin_test(1000);
    EXPECT(!run_window(1) && !run_window(10) && !run_window(0));
    EXPECT(period_ns() == SET_NS);
}

static void above_it_the_next_window_has_the_budget_at_once(void)
{
    const struct cprof_budget_measure next = {.samples = 1000, .duration_ns = S, .period_ns = 1};

    begin_test(1000);
    EXPECT(run_window(16) && period_ns() == 16 * MS);
    EXPECT(!run_window(16) && period_ns() == 16 * MS);
    EXPECT(run_window(64) && period_ns() == 64 * MS);
    EXPECT(!run_window(64) && period_ns() == 64 * MS);
    EXPECT(cprof_budget_samples_per_s(&next) == 1000);
}

static void a_part_of_a_millisecond_is_a_whole_one(void)
{
    begin_test(1000);
    EXPECT(run_window(12) && period_ns() == 12 * MS);
    begin_test(700);
    EXPECT(run_window(12) && period_ns() == 18 * MS); /* 17.1 */
}

static void chance_does_not_change_the_period(void)
{
    begin_test(100);
    EXPECT(run_window(10) && period_ns() == 100 * MS);
    EXPECT(!run_window(11) && !run_window(8) && period_ns() == 100 * MS);
    EXPECT(run_window(7) && period_ns() == 70 * MS);
    EXPECT(!run_window(8) && run_window(9) && period_ns() == 90 * MS);
}

/* 20 samples in a window: one of three windows has less than 16 or more than 24. */
static void of_few_samples_chance_makes_more_of_a_difference(void)
{
    struct cprof_budget_measure measure = {.duration_ns = S, .period_ns = 100 * MS};

    begin_test(20);
    measure.samples = 100;
    EXPECT(cprof_budget_judge(&budget, &measure, SET_NS) && period_ns() == 500 * MS);
    measure.period_ns = 500 * MS;
    for (measure.samples = 8; measure.samples <= 30; measure.samples++) {
        EXPECT(!cprof_budget_judge(&budget, &measure, SET_NS));
    }
    EXPECT(cprof_budget_judge(&budget, &measure, SET_NS) && period_ns() == 775 * MS);
    measure.period_ns = 775 * MS;
    measure.samples = 7;
    EXPECT(cprof_budget_judge(&budget, &measure, SET_NS) && period_ns() < 775 * MS);
}

static void with_less_load_the_period_that_is_set_comes_back(void)
{
    begin_test(1000);
    EXPECT(run_window(64));
    EXPECT(run_window(2) && period_ns() == SET_NS);
    EXPECT(!run_window(2) && !run_window(10));
}

static void an_idle_window_gives_the_period_back(void)
{
    begin_test(1000);
    EXPECT(run_window(64));
    EXPECT(run_window(0) && period_ns() == SET_NS);
}

static void a_window_of_another_period_says_as_much(void)
{
    const struct cprof_budget_measure demand = {
        .samples = 64000, .duration_ns = S, .period_ns = MS}; /* 64 processors */

    begin_test(1000);
    EXPECT(cprof_budget_judge(&budget, &demand, SET_NS) && period_ns() == 64 * MS);
    EXPECT(!cprof_budget_judge(&budget, &demand, SET_NS));
}

static void another_setting_counts_at_once(void)
{
    begin_test(1000);
    EXPECT(run_window(20) && period_ns() == 20 * MS);
    EXPECT(cprof_budget_period_ns(&budget, 15 * MS) == 20 * MS);
    EXPECT(cprof_budget_period_ns(&budget, 50 * MS) == 50 * MS);
    EXPECT(cprof_budget_period_ns(&budget, CPROF_PERIOD_NS_MAX) == CPROF_PERIOD_NS_MAX);
}

static void without_a_budget_nothing_changes(void)
{
    begin_test(0);
    EXPECT(!run_window(4096) && period_ns() == SET_NS);
}

static void a_short_window_says_nothing(void)
{
    struct cprof_budget_measure measure = {
        .samples = 1000000, .duration_ns = S / 2 - 1, .period_ns = SET_NS};

    begin_test(1000);
    EXPECT(cprof_budget_samples_per_s(&measure) == CPROF_BUDGET_UNKNOWN);
    EXPECT(!cprof_budget_judge(&budget, &measure, SET_NS));
    measure.duration_ns++;
    EXPECT(cprof_budget_judge(&budget, &measure, SET_NS));
}

static void nonsense_in_shared_memory_is_only_a_long_period(void)
{
    const struct cprof_budget_measure measure = {
        .samples = UINT64_MAX, .duration_ns = S, .period_ns = CPROF_PERIOD_NS_MAX};

    begin_test(10);
    EXPECT(cprof_budget_judge(&budget, &measure, SET_NS) && period_ns() == CPROF_PERIOD_NS_MAX);
    EXPECT(run_window(1) && period_ns() == 100 * MS);
}

int main(void)
{
    RUN(within_the_budget_nothing_changes);
    RUN(above_it_the_next_window_has_the_budget_at_once);
    RUN(a_part_of_a_millisecond_is_a_whole_one);
    RUN(chance_does_not_change_the_period);
    RUN(of_few_samples_chance_makes_more_of_a_difference);
    RUN(with_less_load_the_period_that_is_set_comes_back);
    RUN(an_idle_window_gives_the_period_back);
    RUN(a_window_of_another_period_says_as_much);
    RUN(another_setting_counts_at_once);
    RUN(without_a_budget_nothing_changes);
    RUN(a_short_window_says_nothing);
    RUN(nonsense_in_shared_memory_is_only_a_long_period);
    return 0;
}
