/* test_self_check.c - see plugin/sample/self_check.h: what is made of a window's figures.
 *
 * sources: plugin/sample/self_check.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/sample/self_check.h"

#include "../../plugin/sample/oncpu.h"
#include "expect.h"

#define MS UINT64_C(1000000)

/* Nothing is sampled here. */
bool cprof_oncpu_is_misaligned(void)
{
    return false;
}

static struct cprof_self_check_facts sound(void)
{
    return (struct cprof_self_check_facts){
        .accounted_ns = 900 * MS,
        .clock_ns = 900 * MS,
        .timer_ticks = 90,
        .has_signal = true,
    };
}

static void a_sound_platform_is_well_with_a_lost_tick_too(void)
{
    struct cprof_self_check_facts facts = sound();

    facts.lost = 3;
    EXPECT(cprof_self_check_judge(&facts) == CPROF_SELF_CHECK_WELL);
}

static void a_window_with_little_work_tells_nothing(void)
{
    struct cprof_self_check_facts facts = {.accounted_ns = 400 * MS, .has_signal = true};

    EXPECT(cprof_self_check_judge(&facts) == CPROF_SELF_CHECK_EARLY);
}

static void a_clock_that_stands_still_is_found(void)
{
    struct cprof_self_check_facts facts = sound();

    facts.clock_ns = 0;
    facts.timer_ticks = 0;
    EXPECT(cprof_self_check_judge(&facts) == CPROF_SELF_CHECK_NO_CLOCK);
}

static void timers_that_never_signal_are_found(void)
{
    struct cprof_self_check_facts facts = sound();

    facts.timer_ticks = 0;
    facts.lost = 2;
    EXPECT(cprof_self_check_judge(&facts) == CPROF_SELF_CHECK_NO_TIMERS);
}

static void ticks_that_are_missing_for_another_reason_are_no_fault_of_the_platform(void)
{
    struct cprof_self_check_facts facts = sound();

    facts.timer_ticks = 0;
    facts.lost = 2;
    facts.explained = 1;
    EXPECT(cprof_self_check_judge(&facts) == CPROF_SELF_CHECK_EARLY);
    facts.explained = 0;
    facts.has_signal = false;
    EXPECT(cprof_self_check_judge(&facts) == CPROF_SELF_CHECK_EARLY);
}

static void a_misaligned_stack_is_found_where_the_rest_works(void)
{
    struct cprof_self_check_facts facts = sound();

    facts.is_misaligned = true;
    EXPECT(cprof_self_check_judge(&facts) == CPROF_SELF_CHECK_MISALIGNED);
}

int main(void)
{
    RUN(a_sound_platform_is_well_with_a_lost_tick_too);
    RUN(a_window_with_little_work_tells_nothing);
    RUN(a_clock_that_stands_still_is_found);
    RUN(timers_that_never_signal_are_found);
    RUN(ticks_that_are_missing_for_another_reason_are_no_fault_of_the_platform);
    RUN(a_misaligned_stack_is_found_where_the_rest_works);
    return 0;
}
