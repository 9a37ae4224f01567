/* kernel_time.c - see kernel_time.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kernel_time.h"

#include <stdlib.h>

#include "table.h"

static int compare_places(const void *left, const void *right)
{
    const struct cprof_kernel_place *a = left, *b = right;

    return (a->place > b->place) - (a->place < b->place);
}

bool cprof_kernel_time_init(struct cprof_kernel_time *time, size_t stacks)
{
    time->count = 0;
    time->places = calloc(stacks + 1, sizeof(*time->places));
    return time->places != NULL;
}

void cprof_kernel_time_reset(struct cprof_kernel_time *time)
{
    free(time->places);
    time->places = NULL;
    time->count = 0;
}

void cprof_kernel_time_add(struct cprof_kernel_time *time, uint32_t place, uint64_t timer_ns,
                           uint64_t sampled_ns)
{
    time->places[time->count++] = (struct cprof_kernel_place){
        .place = place,
        .timer_ns = timer_ns,
        .sampled_ns = sampled_ns,
    };
}

/* All stacks of a place become one entry. */
static void unite(struct cprof_kernel_time *time)
{
    size_t kept = 0;

    qsort(time->places, time->count, sizeof(*time->places), compare_places);
    for (size_t i = 0; i < time->count; i++) {
        struct cprof_kernel_place *next = &time->places[i];

        if (kept > 0 && time->places[kept - 1].place == next->place) {
            struct cprof_kernel_place *place = &time->places[kept - 1];

            place->timer_ns = cprof_saturating_add(place->timer_ns, next->timer_ns);
            place->sampled_ns = cprof_saturating_add(place->sampled_ns, next->sampled_ns);
        } else {
            time->places[kept++] = *next;
        }
    }
    time->count = kept;
}

static double excess(const struct cprof_kernel_place *place)
{
    return place->timer_ns > place->sampled_ns ? (double)(place->timer_ns - place->sampled_ns) : 0;
}

uint64_t cprof_kernel_time_spread(struct cprof_kernel_time *time, uint64_t kernel_ns)
{
    double timer_sum = 0, excess_sum = 0, belief, part = 0;
    uint64_t given_ns = 0;

    unite(time);
    for (size_t i = 0; i < time->count; i++) {
        timer_sum += (double)time->places[i].timer_ns;
        excess_sum += excess(&time->places[i]);
    }
    if (timer_sum <= 0) {
        return 0;
    }
    belief = excess_sum > (double)kernel_ns ? (double)kernel_ns / excess_sum : 1;
    if (excess_sum <= 0) {
        belief = 0;
        excess_sum = 1;
    }
    /* The running sum is rounded, not each part. */
    for (size_t i = 0; i < time->count; i++) {
        struct cprof_kernel_place *place = &time->places[i];
        uint64_t until_ns;

        part += belief * excess(place) / excess_sum +
                (1 - belief) * (double)place->timer_ns / timer_sum;
        until_ns = part < 1 ? (uint64_t)(part * (double)kernel_ns) : kernel_ns;
        place->kernel_ns = until_ns - given_ns;
        given_ns = until_ns;
    }
    return given_ns;
}

uint64_t cprof_kernel_time_take(struct cprof_kernel_time *time, uint32_t place, uint64_t timer_ns)
{
    struct cprof_kernel_place wanted = {.place = place};
    struct cprof_kernel_place *found =
        bsearch(&wanted, time->places, time->count, sizeof(wanted), compare_places);
    uint64_t until_ns, taken_ns;

    if (!found || found->timer_ns == 0) {
        return 0;
    }
    found->asked_ns = cprof_saturating_add(found->asked_ns, timer_ns);
    until_ns = (uint64_t)((unsigned __int128)found->asked_ns * found->kernel_ns / found->timer_ns);
    taken_ns = until_ns - found->given_ns;
    found->given_ns = until_ns;
    return taken_ns;
}
