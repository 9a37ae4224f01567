/* test_runnable.c - see gateway/profile/runnable.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/profile/runnable.h"

#include "expect.h"

#define ON_CPU   CPROF_STACK_ON_CPU
#define OFF_CPU  CPROF_STACK_OFF_CPU
#define RUNNABLE CPROF_STACK_RUNNABLE

static const struct cprof_thread_stack *find(const struct cprof_thread_stack *stacks, size_t count,
                                             uint32_t stack_ref)
{
    for (size_t i = 0; i < count; i++) {
        if (stacks[i].stack_ref == stack_ref) {
            return &stacks[i];
        }
    }
    EXPECT(!"the stack is still there");
    return NULL;
}

static void a_thread_waits_where_it_runs_in_proportion(void)
{
    struct cprof_thread_stack stacks[] = {
        {.thread_ref = 9, .stack_ref = 1, .kind = ON_CPU, .value_ns = 30},
        {.thread_ref = 9, .stack_ref = 2, .kind = OFF_CPU, .value_ns = 1000},
        {.thread_ref = 9, .stack_ref = 3, .kind = RUNNABLE, .value_ns = 50},
        {.thread_ref = 9, .stack_ref = 4, .kind = ON_CPU, .value_ns = 10},
        {.thread_ref = 9, .stack_ref = 5, .kind = RUNNABLE, .value_ns = 30},
    };

    cprof_runnable_share_out(stacks, 5);
    EXPECT(find(stacks, 5, 1)->runnable_ns == 60 && find(stacks, 5, 4)->runnable_ns == 20);
    EXPECT(find(stacks, 5, 2)->runnable_ns == 0 && find(stacks, 5, 3)->runnable_ns == 0);
    EXPECT(find(stacks, 5, 5)->runnable_ns == 0);
}

static void a_thread_waits_where_looks_found_it_waiting(void)
{
    struct cprof_thread_stack stacks[] = {
        {.thread_ref = 9, .stack_ref = 1, .kind = ON_CPU, .value_ns = 30},
        {.thread_ref = 9, .stack_ref = 2, .kind = OFF_CPU, .value_ns = 1000, .wait_ns = 3},
        {.thread_ref = 9, .stack_ref = 3, .kind = RUNNABLE, .value_ns = 80},
        {.thread_ref = 9, .stack_ref = 4, .kind = OFF_CPU, .wait_ns = 1},
        {.thread_ref = 8, .stack_ref = 5, .kind = ON_CPU, .value_ns = 10},
        {.thread_ref = 8, .stack_ref = 6, .kind = RUNNABLE, .value_ns = 7},
    };

    cprof_runnable_share_out(stacks, 6);
    EXPECT(find(stacks, 6, 2)->runnable_ns == 60 && find(stacks, 6, 4)->runnable_ns == 20);
    EXPECT(find(stacks, 6, 1)->runnable_ns == 0 && find(stacks, 6, 3)->runnable_ns == 0);
    EXPECT(find(stacks, 6, 5)->runnable_ns == 7); /* no look found this thread waiting */
}

static void threads_do_not_wait_for_each_other(void)
{
    struct cprof_thread_stack stacks[] = {
        {.thread_ref = 8, .stack_ref = 1, .kind = ON_CPU, .value_ns = 30},
        {.thread_ref = 9, .stack_ref = 2, .kind = RUNNABLE, .value_ns = 50},
        {.thread_ref = 9, .stack_ref = 3, .kind = OFF_CPU, .value_ns = 7},
        {.thread_ref = 7, .stack_ref = 4, .kind = RUNNABLE, .value_ns = 5},
        {.thread_ref = 8, .stack_ref = 5, .kind = OFF_CPU, .value_ns = 7},
    };

    cprof_runnable_share_out(stacks, 5);
    EXPECT(find(stacks, 5, 1)->runnable_ns == 0 && find(stacks, 5, 5)->runnable_ns == 0);
    EXPECT(find(stacks, 5, 3)->runnable_ns == 50);
    EXPECT(find(stacks, 5, 4)->runnable_ns == 5);
}

static void stacks_without_time_get_nothing(void)
{
    struct cprof_thread_stack stacks[] = {
        {.thread_ref = 9, .stack_ref = 1, .kind = ON_CPU, .value_ns = 0},
        {.thread_ref = 9, .stack_ref = 2, .kind = OFF_CPU, .value_ns = 0},
        {.thread_ref = 9, .stack_ref = 3, .kind = RUNNABLE, .value_ns = 50},
    };

    cprof_runnable_share_out(stacks, 3);
    EXPECT(find(stacks, 3, 3)->runnable_ns == 50 && find(stacks, 3, 1)->runnable_ns == 0);
    cprof_runnable_share_out(stacks, 0);
}

static void nothing_is_lost_by_rounding(void)
{
    struct cprof_thread_stack stacks[101] = {{.stack_ref = 200, .kind = RUNNABLE}};
    uint64_t sum_ns = 0;

    stacks[0].value_ns = 1000003;
    for (uint32_t i = 1; i < 101; i++) {
        stacks[i] = (struct cprof_thread_stack){.stack_ref = i, .kind = ON_CPU, .value_ns = i % 7};
    }
    cprof_runnable_share_out(stacks, 101);
    for (unsigned i = 0; i < 101; i++) {
        sum_ns += stacks[i].runnable_ns;
    }
    EXPECT(sum_ns == 1000003);
}

static void sums_that_are_too_large_stop(void)
{
    struct cprof_thread_stack stacks[] = {
        {.stack_ref = 1, .kind = ON_CPU, .value_ns = INT64_MAX},
        {.stack_ref = 2, .kind = ON_CPU, .value_ns = UINT64_MAX},
        {.stack_ref = 3, .kind = RUNNABLE, .value_ns = UINT64_MAX},
        {.stack_ref = 4, .kind = RUNNABLE, .value_ns = UINT64_MAX},
    };

    cprof_runnable_share_out(stacks, 4);
    EXPECT(stacks[0].runnable_ns == INT64_MAX && stacks[1].runnable_ns == 0);
}

int main(void)
{
    RUN(a_thread_waits_where_it_runs_in_proportion);
    RUN(a_thread_waits_where_looks_found_it_waiting);
    RUN(threads_do_not_wait_for_each_other);
    RUN(stacks_without_time_get_nothing);
    RUN(nothing_is_lost_by_rounding);
    RUN(sums_that_are_too_large_stop);
    return 0;
}
