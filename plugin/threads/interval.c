/* interval.c - see interval.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "interval.h"

#include "../../shared/base/random.h"

uint64_t cprof_interval(uint64_t *random, uint64_t period_ns)
{
    return period_ns / 2 + cprof_random_below(random, period_ns);
}

/* The chance of a rest falls as the chance that an interval is longer than that: it is even up to
 * half a period, where half of all rests are, and then goes down to nothing in a straight line,
 * as the smaller of two even draws does. All intervals that are longer than the rest are equally
 * likely to be the one that it is of. */
struct cprof_first_interval cprof_interval_first(uint64_t *random, uint64_t period_ns)
{
    uint64_t half_ns = period_ns / 2, longest_ns = half_ns + period_ns;
    struct cprof_first_interval first;
    uint64_t shortest_ns;

    if (cprof_random_below(random, 2) == 0) {
        first.rest_ns = 1 + cprof_random_below(random, half_ns);
    } else {
        uint64_t one_ns = cprof_random_below(random, period_ns);
        uint64_t other_ns = cprof_random_below(random, period_ns);

        first.rest_ns = half_ns + (one_ns < other_ns ? one_ns : other_ns);
    }
    shortest_ns = first.rest_ns > half_ns ? first.rest_ns : half_ns;
    first.length_ns = shortest_ns + cprof_random_below(random, longest_ns - shortest_ns);
    return first;
}
