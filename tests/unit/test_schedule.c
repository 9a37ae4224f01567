/* test_schedule.c - see gateway/askers/schedule.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/askers/schedule.h"
#include "expect.h"

#define S UINT64_C(1000000000)

static struct cprof_schedule schedule;

static void start(uint64_t start_ns, uint32_t interval_s, uint32_t duration_s)
{
    cprof_schedule_init(&schedule, start_ns, interval_s, duration_s, 7);
    EXPECT(schedule.wait_ns > 0 && schedule.wait_ns < interval_s * S);
}

static void the_first_window_opens_at_once(void)
{
    uint64_t end_ns;

    start(100 * S, 60, 10);

    EXPECT(cprof_schedule_next_ns(&schedule) == 100 * S);
    EXPECT(cprof_schedule_take(&schedule, 100 * S, &end_ns));
    EXPECT(end_ns == 110 * S);
}

static void the_second_one_comes_late_by_a_random_part_of_an_interval(void)
{
    uint64_t end_ns, second_ns;

    start(100 * S, 60, 10);
    second_ns = 160 * S + schedule.wait_ns;
    EXPECT(cprof_schedule_take(&schedule, 100 * S, &end_ns));

    EXPECT(!cprof_schedule_take(&schedule, second_ns - 1, &end_ns));
    EXPECT(cprof_schedule_next_ns(&schedule) == second_ns);
    EXPECT(cprof_schedule_take(&schedule, second_ns, &end_ns) && end_ns == second_ns + 10 * S);
    EXPECT(cprof_schedule_next_ns(&schedule) == second_ns + 60 * S);
}

/* Twenty of them, a nanosecond apart: no tenth of the interval has more than a fair share of five
 * standard deviations above it, and not all have the same. */
static void instances_that_start_together_do_not_stay_in_step(void)
{
    unsigned tenths[10] = {0}, met = 0;

    for (uint64_t instance = 0; instance < 20; instance++) {
        cprof_schedule_init(&schedule, 0, 60, 10, 1764336000 * S + instance);
        tenths[schedule.wait_ns / (6 * S)]++;
    }
    for (unsigned i = 0; i < 10; i++) {
        EXPECT(tenths[i] <= 8); /* 2 expected, standard deviation 1.34 */
        met += tenths[i] > 0;
    }
    EXPECT(met >= 5);
}

static void late_windows_do_not_drift(void)
{
    uint64_t end_ns, wait_ns;

    start(0, 10, 10);
    wait_ns = schedule.wait_ns;
    EXPECT(cprof_schedule_take(&schedule, 0, &end_ns));
    for (uint64_t turn = 1; turn < 1000; turn++) {
        EXPECT(cprof_schedule_take(&schedule, wait_ns + turn * 10 * S + S / 20, &end_ns));
        EXPECT(end_ns == wait_ns + (turn + 1) * 10 * S);
    }
}

static void a_stall_loses_turns_and_piles_up_none(void)
{
    uint64_t end_ns, wait_ns;

    start(0, 60, 10);
    wait_ns = schedule.wait_ns;
    EXPECT(cprof_schedule_take(&schedule, 0, &end_ns));

    /* Most of turn 5 is lost. */
    EXPECT(!cprof_schedule_take(&schedule, wait_ns + 306 * S, &end_ns));
    EXPECT(cprof_schedule_next_ns(&schedule) == wait_ns + 360 * S);
    EXPECT(cprof_schedule_take(&schedule, wait_ns + 360 * S, &end_ns));
    EXPECT(end_ns == wait_ns + 370 * S);
}

static void a_first_turn_that_is_late_is_lost_like_any_other(void)
{
    uint64_t end_ns;

    start(100 * S, 60, 10);
    EXPECT(!cprof_schedule_take(&schedule, 106 * S, &end_ns));
    EXPECT(cprof_schedule_next_ns(&schedule) == 160 * S + schedule.wait_ns);
}

int main(void)
{
    RUN(the_first_window_opens_at_once);
    RUN(the_second_one_comes_late_by_a_random_part_of_an_interval);
    RUN(instances_that_start_together_do_not_stay_in_step);
    RUN(late_windows_do_not_drift);
    RUN(a_stall_loses_turns_and_piles_up_none);
    RUN(a_first_turn_that_is_late_is_lost_like_any_other);
    return 0;
}
