/* schedule.c - see schedule.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "schedule.h"

#include "../../shared/base/units.h"

void cprof_schedule_init(struct cprof_schedule *schedule, uint64_t start_ns, uint32_t interval_s,
                         uint32_t duration_s)
{
    *schedule = (struct cprof_schedule){
        .start_ns = start_ns,
        .interval_ns = interval_s * NS_PER_S,
        .duration_ns = duration_s * NS_PER_S,
    };
}

uint64_t cprof_schedule_next_ns(const struct cprof_schedule *schedule)
{
    return schedule->start_ns + schedule->next_turn * schedule->interval_ns;
}

bool cprof_schedule_take(struct cprof_schedule *schedule, uint64_t now_ns, uint64_t *end_ns)
{
    uint64_t turn, turn_ns;

    if (now_ns < cprof_schedule_next_ns(schedule)) {
        return false;
    }
    turn = (now_ns - schedule->start_ns) / schedule->interval_ns;
    turn_ns = schedule->start_ns + turn * schedule->interval_ns;
    schedule->next_turn = turn + 1;
    *end_ns = turn_ns + schedule->duration_ns;
    return now_ns - turn_ns <= schedule->duration_ns / 2;
}
