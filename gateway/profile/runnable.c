/* runnable.c - see runnable.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runnable.h"

#include <stdlib.h>

#include "table.h"

static int compare_stacks(const void *left, const void *right)
{
    const struct cprof_thread_stack *a = left, *b = right;

    if (a->thread_ref != b->thread_ref) {
        return a->thread_ref < b->thread_ref ? -1 : 1;
    }
    return (a->stack_ref > b->stack_ref) - (a->stack_ref < b->stack_ref);
}

/* What decides how much of its thread's run-queue time a stack gets. */
enum measure {
    BY_WAITS,
    BY_TIME_ON_CPU,
    BY_TIME_OFF_CPU,
    BY_RUN_QUEUE_TIME, /* it stays where it is */
    MEASURES,
};

static uint64_t measure_of(const struct cprof_thread_stack *stack, enum measure measure)
{
    static const enum cprof_stack_kind kinds[MEASURES] = {
        [BY_TIME_ON_CPU] = CPROF_STACK_ON_CPU,
        [BY_TIME_OFF_CPU] = CPROF_STACK_OFF_CPU,
        [BY_RUN_QUEUE_TIME] = CPROF_STACK_RUNNABLE,
    };

    if (measure == BY_WAITS) {
        return stack->wait_ns;
    }
    return stack->kind == kinds[measure] ? stack->value_ns : 0;
}

static uint64_t sum_of(const struct cprof_thread_stack *stacks, size_t count, enum measure measure)
{
    uint64_t sum_ns = 0;

    for (size_t i = 0; i < count; i++) {
        sum_ns = cprof_saturating_add(sum_ns, measure_of(&stacks[i], measure));
    }
    return sum_ns;
}

/* The running sum is divided, not each value, so that rounding errors do not add up. */
static void share_out_by(struct cprof_thread_stack *stacks, size_t count, enum measure measure,
                         uint64_t runnable_ns, uint64_t sum_ns)
{
    uint64_t seen_ns = 0, given_ns = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t before_ns = given_ns;

        seen_ns = cprof_saturating_add(seen_ns, measure_of(&stacks[i], measure));
        given_ns = (uint64_t)((unsigned __int128)runnable_ns * seen_ns / sum_ns);
        stacks[i].runnable_ns = given_ns - before_ns;
    }
}

static void share_out_thread(struct cprof_thread_stack *stacks, size_t count)
{
    uint64_t runnable_ns = sum_of(stacks, count, BY_RUN_QUEUE_TIME);

    for (enum measure measure = BY_WAITS; runnable_ns > 0 && measure < MEASURES; measure++) {
        uint64_t sum_ns = sum_of(stacks, count, measure);

        if (sum_ns > 0) {
            share_out_by(stacks, count, measure, runnable_ns, sum_ns);
            return;
        }
    }
}

void cprof_runnable_share_out(struct cprof_thread_stack *stacks, size_t count)
{
    if (count == 0) {
        return;
    }
    qsort(stacks, count, sizeof(*stacks), compare_stacks);
    for (size_t first = 0, next; first < count; first = next) {
        next = first + 1;
        while (next < count && stacks[next].thread_ref == stacks[first].thread_ref) {
            next++;
        }
        share_out_thread(stacks + first, next - first);
    }
}
