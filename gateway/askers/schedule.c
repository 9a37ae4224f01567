/* schedule.c - see schedule.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "schedule.h"

#include "../../shared/base/random.h"
#include "../../shared/base/units.h"

void cprof_schedule_init(struct cprof_schedule *schedule, uint64_t start_ns, uint32_t interval_s,
                         uint32_t duration_s, uint64_t seed)
{
    *schedule = (struct cprof_schedule){
        .start_ns = start_ns,
        .wait_ns = cprof_random_below(&seed, interval_s * NS_PER_S),
        .interval_ns = interval_s * NS_PER_S,
        .duration_ns = duration_s * NS_PER_S,
    };
}

static uint64_t turn_ns(const struct cprof_schedule *schedule, uint64_t turn)
{
    return schedule->start_ns + (turn > 0 ? schedule->wait_ns : 0) + turn * schedule->interval_ns;
}

/* The last one that has begun at now_ns, which is not before the first. */
static uint64_t present_turn(const struct cprof_schedule *schedule, uint64_t now_ns)
{
    return now_ns < turn_ns(schedule, 1)
               ? 0
               : (now_ns - schedule->start_ns - schedule->wait_ns) / schedule->interval_ns;
}

uint64_t cprof_schedule_next_ns(const struct cprof_schedule *schedule)
{
    return turn_ns(schedule, schedule->next_turn);
}

bool cprof_schedule_take(struct cprof_schedule *schedule, uint64_t now_ns, uint64_t *end_ns)
{
    uint64_t turn, began_ns;

    if (now_ns < cprof_schedule_next_ns(schedule)) {
        return false;
    }
    turn = present_turn(schedule, now_ns);
    began_ns = turn_ns(schedule, turn);
    schedule->next_turn = turn + 1;
    *end_ns = began_ns + schedule->duration_ns;
    return now_ns - began_ns <= schedule->duration_ns / 2;
}
