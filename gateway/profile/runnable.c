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

static uint64_t sum_of(const struct cprof_thread_stack *stacks, size_t count,
                       enum cprof_stack_kind kind)
{
    uint64_t sum_ns = 0;

    for (size_t i = 0; i < count; i++) {
        if (stacks[i].kind == kind) {
            sum_ns = cprof_saturating_add(sum_ns, stacks[i].value_ns);
        }
    }
    return sum_ns;
}

/* The running sum is divided, not each value, so that rounding errors do not add up. */
static void share_out_over(struct cprof_thread_stack *stacks, size_t count,
                           enum cprof_stack_kind kind, uint64_t runnable_ns, uint64_t sum_ns)
{
    uint64_t seen_ns = 0, given_ns = 0;

    for (size_t i = 0; i < count; i++) {
        if (stacks[i].kind == kind) {
            uint64_t before_ns = given_ns;

            seen_ns = cprof_saturating_add(seen_ns, stacks[i].value_ns);
            given_ns = (uint64_t)((unsigned __int128)runnable_ns * seen_ns / sum_ns);
            stacks[i].runnable_ns = given_ns - before_ns;
        }
    }
}

static void share_out_thread(struct cprof_thread_stack *stacks, size_t count)
{
    static const enum cprof_stack_kind by_preference[] = {CPROF_STACK_ON_CPU, CPROF_STACK_OFF_CPU,
                                                          CPROF_STACK_RUNNABLE};
    uint64_t runnable_ns = sum_of(stacks, count, CPROF_STACK_RUNNABLE);

    if (runnable_ns == 0) {
        return;
    }
    for (size_t i = 0; i < sizeof(by_preference) / sizeof(*by_preference); i++) {
        uint64_t sum_ns = sum_of(stacks, count, by_preference[i]);

        if (sum_ns > 0) {
            share_out_over(stacks, count, by_preference[i], runnable_ns, sum_ns);
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
