/* oldest.h - which of a worker's requests stand in its slot: the oldest one, and the oldest one
 * that is not too old to be followed as a slow request.
 *
 * A request that hangs for ever stays the oldest for ever; were it the only one that is told, it
 * would hide every later slow request of its worker.
 *
 * Callers   the master. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_OLDEST_H
#define CPROF_OLDEST_H

#include <stdbool.h>
#include <stdint.h>

/* A slow request is followed for so long after it became one. */
#define CPROF_FOLLOWED_SECONDS_MAX 600u

/* Unix times; 0: there is none. Begins as zeros. */
struct cprof_oldest {
    uint64_t request_us;
    uint64_t followed_us;
};

/* Requests that began before are not followed any more. 0, with slow_request_s 0 or a clock that
 * stands near 1970: all are. */
uint64_t cprof_oldest_followed_from_us(uint64_t now_us, uint32_t slow_request_s);

/* Whether a request that began then would become the oldest one that is followed. */
bool cprof_oldest_would_follow(const struct cprof_oldest *oldest, uint64_t start_us,
                               uint64_t followed_from_us);

/* Counts in a request that runs and began at start_us; 0 is none. followed_from_us UINT64_MAX: it
 * is not to be followed. */
void cprof_oldest_add(struct cprof_oldest *oldest, uint64_t start_us, uint64_t followed_from_us);

#endif
