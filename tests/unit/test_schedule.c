/* test_schedule.c - see gateway/askers/schedule.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/askers/schedule.h"
#include "expect.h"

#define S UINT64_C(1000000000)

static void the_first_window_opens_at_once(void)
{
    struct cprof_schedule schedule;
    uint64_t end_ns;

    cprof_schedule_init(&schedule, 100 * S, 60, 10);

    EXPECT(cprof_schedule_next_ns(&schedule) == 100 * S);
    EXPECT(cprof_schedule_take(&schedule, 100 * S, &end_ns));
    EXPECT(end_ns == 110 * S);
}

static void nothing_is_due_between_two_turns(void)
{
    struct cprof_schedule schedule;
    uint64_t end_ns;

    cprof_schedule_init(&schedule, 100 * S, 60, 10);
    EXPECT(cprof_schedule_take(&schedule, 100 * S, &end_ns));

    EXPECT(!cprof_schedule_take(&schedule, 159 * S, &end_ns));
    EXPECT(cprof_schedule_next_ns(&schedule) == 160 * S);
}

static void late_windows_do_not_drift(void)
{
    struct cprof_schedule schedule;
    uint64_t end_ns;

    cprof_schedule_init(&schedule, 0, 10, 10);
    for (uint64_t turn = 0; turn < 1000; turn++) {
        EXPECT(cprof_schedule_take(&schedule, turn * 10 * S + S / 20, &end_ns));
        EXPECT(end_ns == (turn + 1) * 10 * S);
    }
}

static void a_stall_loses_turns_and_piles_up_none(void)
{
    struct cprof_schedule schedule;
    uint64_t end_ns;

    cprof_schedule_init(&schedule, 0, 60, 10);
    EXPECT(cprof_schedule_take(&schedule, 0, &end_ns));

    EXPECT(!cprof_schedule_take(&schedule, 306 * S, &end_ns)); /* most of turn 5 is lost */
    EXPECT(cprof_schedule_next_ns(&schedule) == 360 * S);
    EXPECT(cprof_schedule_take(&schedule, 360 * S, &end_ns));
    EXPECT(end_ns == 370 * S);
}

int main(void)
{
    RUN(the_first_window_opens_at_once);
    RUN(nothing_is_due_between_two_turns);
    RUN(late_windows_do_not_drift);
    RUN(a_stall_loses_turns_and_piles_up_none);
    return 0;
}
