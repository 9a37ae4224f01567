/* test_kernel_time.c - see gateway/profile/kernel_time.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/profile/kernel_time.h"

#include "expect.h"

#define MS UINT64_C(1000000)

static struct cprof_kernel_time kernel_time;

static void begin_test(size_t stacks)
{
    EXPECT(cprof_kernel_time_init(&kernel_time, stacks));
}

static void add_ms(uint32_t place, uint64_t timer_ms, uint64_t sampled_ms)
{
    cprof_kernel_time_add(&kernel_time, place, timer_ms * MS, sampled_ms * MS);
}

static uint64_t take_ms(uint32_t place, uint64_t timer_ms)
{
    return cprof_kernel_time_take(&kernel_time, place, timer_ms * MS) / MS;
}

static void what_the_timer_saw_beyond_the_samples_is_the_places_own(void)
{
    begin_test(2);
    add_ms(7, 500, 500);
    add_ms(8, 480, 30);

    EXPECT(cprof_kernel_time_spread(&kernel_time, 450 * MS) == 450 * MS);

    EXPECT(take_ms(7, 500) == 0 && take_ms(8, 480) == 450);
    cprof_kernel_time_reset(&kernel_time);
}

/* Three quarters of the excess cannot be true, so it decides about one quarter of the time. */
static void an_excess_that_cannot_be_true_is_believed_in_part(void)
{
    begin_test(2);
    add_ms(7, 600, 400);
    add_ms(8, 400, 550);

    EXPECT(cprof_kernel_time_spread(&kernel_time, 50 * MS) == 50 * MS);

    EXPECT(take_ms(7, 600) == 35 && take_ms(8, 400) == 15);
    cprof_kernel_time_reset(&kernel_time);
}

static void without_any_excess_the_time_follows_the_ticks(void)
{
    begin_test(2);
    add_ms(7, 60, 100);
    add_ms(8, 40, 100);

    EXPECT(cprof_kernel_time_spread(&kernel_time, 10 * MS) == 10 * MS);

    EXPECT(take_ms(7, 60) == 6 && take_ms(8, 40) == 4);
    cprof_kernel_time_reset(&kernel_time);
}

static void the_stacks_of_a_place_share_by_their_ticks_to_the_last_nanosecond(void)
{
    uint64_t sum_ns = 0;

    begin_test(4);
    for (unsigned i = 1; i <= 3; i++) {
        cprof_kernel_time_add(&kernel_time, 7, i, 0);
    }
    cprof_kernel_time_add(&kernel_time, 3, 0, 5);

    EXPECT(cprof_kernel_time_spread(&kernel_time, 100) == 100);

    for (unsigned i = 1; i <= 3; i++) {
        sum_ns += cprof_kernel_time_take(&kernel_time, 7, i);
    }
    EXPECT(sum_ns == 100 && take_ms(3, 0) == 0);
    cprof_kernel_time_reset(&kernel_time);
}

static void where_the_timer_saw_nothing_there_is_no_place(void)
{
    begin_test(1);
    add_ms(7, 0, 100);

    EXPECT(cprof_kernel_time_spread(&kernel_time, 10 * MS) == 0);

    EXPECT(take_ms(7, 0) == 0 && take_ms(9, 1) == 0);
    cprof_kernel_time_reset(&kernel_time);
}

static void sums_beyond_all_measure_stay_in_order(void)
{
    begin_test(2);
    cprof_kernel_time_add(&kernel_time, 7, UINT64_MAX, 1);
    cprof_kernel_time_add(&kernel_time, 7, UINT64_MAX, 1);

    EXPECT(cprof_kernel_time_spread(&kernel_time, 10 * MS) == 10 * MS);

    EXPECT(cprof_kernel_time_take(&kernel_time, 7, UINT64_MAX) == 10 * MS);
    EXPECT(cprof_kernel_time_take(&kernel_time, 7, UINT64_MAX) == 0);
    cprof_kernel_time_reset(&kernel_time);
}

int main(void)
{
    RUN(what_the_timer_saw_beyond_the_samples_is_the_places_own);
    RUN(an_excess_that_cannot_be_true_is_believed_in_part);
    RUN(without_any_excess_the_time_follows_the_ticks);
    RUN(the_stacks_of_a_place_share_by_their_ticks_to_the_last_nanosecond);
    RUN(where_the_timer_saw_nothing_there_is_no_place);
    RUN(sums_beyond_all_measure_stay_in_order);
    return 0;
}
