/* slow_places.h - which of the slow requests are followed, where there are more than places.
 *
 * Many requests of one URI are as a rule slow by nature; the one among them that hangs for another
 * reason is the one that an operator looks for. So the URI with the most places gives one up, and
 * of its requests the one that has run longest: most is known of that.
 *
 * Callers   the gateway's thread. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SLOW_PLACES_H
#define CPROF_SLOW_PLACES_H

#include <stddef.h>
#include <stdint.h>

/* A request that has a place, or would like one. Requests of the same method and URI are alike. */
struct cprof_slow_request {
    uint64_t start_us; /* unix time; 0: the place is free */
    const char *method, *uri;
};

/* Which of those that have no place, of which there is one at least, is served first: of those with
 * the fewest alike in places the youngest. */
size_t cprof_slow_places_next(const struct cprof_slow_request *waiting, size_t waiting_count,
                              const struct cprof_slow_request *places, size_t count);

/* The place that the newcomer takes: a free one, else that of the request which gives way. `count`:
 * none. It must be younger than who gives way, or fewer must be alike in places even with it. */
size_t cprof_slow_places_take(const struct cprof_slow_request *places, size_t count,
                              const struct cprof_slow_request *newcomer);

#endif
