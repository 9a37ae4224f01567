/* perf_grid.c - see perf_grid.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "perf_grid.h"

#include <stdatomic.h>

#include "../../shared/base/random.h"
#include "interval.h"

/* Of a period; and what a kernel on a virtual machine needs for some ten overflows. */
#define STEP_PART_MIN 16u
#define STEP_NS_MIN   UINT64_C(250000)

/* CPU time until another step is drawn, in periods: a fine grid costs overflows that are no
 * samples, a coarse one only meets the same points for as long. */
#define PERIODS_OF_FINE   2u
#define PERIODS_OF_COARSE 16u

/* More intervals than this are not counted off one by one: the thread was in the kernel. */
#define PERIODS_BEHIND_MAX 64u

static uint64_t shortest_step_ns(uint64_t period_ns)
{
    uint64_t part_ns = period_ns / STEP_PART_MIN;

    return part_ns > STEP_NS_MIN ? part_ns : STEP_NS_MIN;
}

static void set_due(struct cprof_timing *due, uint64_t next_ns, uint64_t interval_ns)
{
    atomic_store_explicit(&due->interval_ns, interval_ns, memory_order_relaxed);
    atomic_store_explicit(&due->next_ns, next_ns, memory_order_relaxed);
}

static void set_due_first(struct cprof_timing *due, uint64_t period_ns, uint64_t from_ns)
{
    struct cprof_first_interval first = cprof_interval_first(&due->random, period_ns);

    set_due(due, from_ns + first.rest_ns, first.length_ns);
}

/* The first overflow also takes what is due in the half step that the old grid left over. */
static uint64_t begin_step(struct cprof_perf_grid *grid, uint64_t step_ns, uint64_t left_ns)
{
    grid->used_ns = 0;
    atomic_store_explicit(&grid->step_ns, step_ns, memory_order_relaxed);
    atomic_store_explicit(&grid->reach_ns, step_ns + left_ns, memory_order_relaxed);
    return step_ns;
}

uint64_t cprof_perf_grid_begin(struct cprof_perf_grid *grid, uint64_t period_ns, uint64_t now_ns,
                               uint64_t seed)
{
    uint64_t shortest_ns = shortest_step_ns(period_ns), rest_ns;

    grid->random = seed;
    grid->due.random = ~seed;
    set_due_first(&grid->due, period_ns, now_ns);
    rest_ns = atomic_load_explicit(&grid->due.next_ns, memory_order_relaxed) - now_ns;
    return begin_step(grid, rest_ns > shortest_ns ? rest_ns : shortest_ns, 0);
}

uint64_t cprof_perf_grid_change(struct cprof_perf_grid *grid, uint64_t period_ns)
{
    uint64_t step_ns = period_ns - cprof_random_below(&grid->random, period_ns / 2);
    uint64_t left_ns = atomic_load_explicit(&grid->step_ns, memory_order_relaxed) / 2;

    return begin_step(grid, step_ns, left_ns);
}

uint64_t cprof_perf_grid_follow(struct cprof_perf_grid *grid, uint64_t period_ns, uint64_t used_ns)
{
    bool is_fine = atomic_load_explicit(&grid->step_ns, memory_order_relaxed) < period_ns / 2;

    grid->used_ns += used_ns;
    if (grid->used_ns < period_ns * (is_fine ? PERIODS_OF_FINE : PERIODS_OF_COARSE)) {
        return 0;
    }
    return cprof_perf_grid_change(grid, period_ns);
}

/* The next tick is half of their distance away on average, and steps are three quarters of a period
 * long: of all instants, so many have the step's end before the tick. */
uint64_t cprof_perf_grid_switch_ns(uint64_t period_ns, uint64_t tick_ns, uint64_t far_ns,
                                   uint64_t near_ns)
{
    uint64_t step_ns = period_ns * 3 / 4, more_ns = near_ns > far_ns ? near_ns - far_ns : 0;

    return far_ns + (tick_ns / 2 < step_ns ? more_ns * (tick_ns / 2) / step_ns : more_ns);
}

uint64_t cprof_perf_grid_take(struct cprof_perf_grid *grid, uint64_t period_ns, uint64_t now_ns)
{
    uint64_t step_ns = atomic_load_explicit(&grid->step_ns, memory_order_relaxed);
    uint64_t reach_ns =
        atomic_exchange_explicit(&grid->reach_ns, step_ns / 2, memory_order_relaxed);
    uint64_t from_ns = now_ns > reach_ns ? now_ns - reach_ns : 0;
    uint64_t next_ns = atomic_load_explicit(&grid->due.next_ns, memory_order_relaxed);
    uint64_t weight_ns = 0;

    if (next_ns + PERIODS_BEHIND_MAX * period_ns < from_ns) {
        set_due_first(&grid->due, period_ns, from_ns);
        next_ns = atomic_load_explicit(&grid->due.next_ns, memory_order_relaxed);
    }
    while (next_ns <= now_ns + step_ns / 2) {
        uint64_t interval_ns = cprof_interval(&grid->due.random, period_ns);

        if (next_ns > from_ns) {
            weight_ns += atomic_load_explicit(&grid->due.interval_ns, memory_order_relaxed);
        }
        next_ns += interval_ns;
        set_due(&grid->due, next_ns, interval_ns);
    }
    return weight_ns;
}
