/* backoff.h - how long to wait after a call to the API that failed.
 *
 * Callers   the gateway's thread. Pure: the random numbers follow from the seed.
 * Rule      the server's own delay where it gives one, at most 6 hours; else a random time below an
 *           envelope that starts at 1 minute, grows by 1.3 and ends at 1 hour. Never below 1 s, so
 *           that no server makes a busy loop. A success starts anew; a delay of the server leaves
 *           the envelope as it is. For ever.
 * Why       it is what the official agents do: the random share keeps the instances of a service
 *           that failed together from coming back together.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_BACKOFF_H
#define CPROF_BACKOFF_H

#include <stdint.h>

struct cprof_backoff {
    uint64_t envelope_ns;
    uint64_t first_ns; /* 1 min, unless cloudprofiler-initial-backoff says otherwise */
    uint64_t random;   /* state of the generator */
};

/* first_ns: where the envelope starts, at most an hour. seed: any number; two instances should have
 * different ones. */
void cprof_backoff_init(struct cprof_backoff *backoff, uint64_t first_ns, uint64_t seed);
void cprof_backoff_succeeded(struct cprof_backoff *backoff);

/* The next wait. server_delay_ns: 0 if the server gave none. */
uint64_t cprof_backoff_next_ns(struct cprof_backoff *backoff, uint64_t server_delay_ns);

#endif
