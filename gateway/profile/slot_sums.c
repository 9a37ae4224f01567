/* slot_sums.c - see slot_sums.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "slot_sums.h"

#include <stdlib.h>
#include <string.h>

#include "../../shared/segment/counters.h"
#include "table.h"

static bool reach(struct cprof_slot_sums *sums, size_t count)
{
    struct cprof_slot_sum *grown;

    if (count <= sums->count) {
        return true;
    }
    grown = realloc(sums->slots, count * sizeof(*grown));
    if (!grown) {
        return false;
    }
    memset(grown + sums->count, 0, (count - sums->count) * sizeof(*grown));
    sums->slots = grown;
    sums->count = count;
    return true;
}

static bool says_something(const struct cprof_log_view *view)
{
    return view->stack_count > 0 || view->counters[CPROF_COUNTER_CPU_CLOCK_NS] > 0 ||
           view->counters[CPROF_COUNTER_WALL_CLOCK_NS] > 0 || view->rejected > 0;
}

static void add_counter(struct cprof_slot_sum *sum, unsigned counter, uint64_t value)
{
    uint64_t *to = &sum->counters[counter];

    if (!cprof_counter_text(counter).counts_threads) {
        *to = cprof_saturating_add(*to, value);
    } else if (value > *to) {
        *to = value;
    }
}

bool cprof_slot_sums_add(struct cprof_slot_sums *sums, const struct cprof_log_view *view,
                         uint64_t extra_ns)
{
    struct cprof_slot_sum *sum;

    if (!reach(sums, (size_t)view->slot_index + 1)) {
        return false;
    }
    sum = &sums->slots[view->slot_index];
    for (unsigned i = 0; i < CPROF_COUNTER_COUNT; i++) {
        add_counter(sum, i, view->counters[i]);
    }
    sum->extra_ns = cprof_saturating_add(sum->extra_ns, extra_ns);
    sum->rejected = cprof_saturating_add(sum->rejected, view->rejected);
    sum->kind = view->kind;
    sum->number = view->number;
    if (says_something(view)) {
        sum->says_something = true;
        sum->closed = view->closed;
    }
    return true;
}

void cprof_slot_sums_reset(struct cprof_slot_sums *sums)
{
    free(sums->slots);
    *sums = (struct cprof_slot_sums){0};
}
