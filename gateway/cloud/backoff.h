/* backoff.h - how long to wait after a call to the API that failed.
 *
 * Callers   uploader.c. Pure, but for the random numbers of its seed.
 * Rule      the server's own delay where it gives one, at most 6 hours; else a random time below an
 *           envelope that starts at 1 minute, grows by 1.3 and ends at 1 hour, and never below 1 s.
 *           A success starts anew; a delay of the server changes nothing. For ever.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_BACKOFF_H
#define CPROF_BACKOFF_H

#include <stdint.h>

struct cprof_backoff {
    uint64_t envelope_ns;
    uint64_t first_ns; /* 1 min, but for tests and CPROF_... of the environment */
    uint64_t random;   /* state of the generator, never 0 */
};

/* seed: any number; two instances should have different ones. */
void cprof_backoff_init(struct cprof_backoff *backoff, uint64_t first_ns, uint64_t seed);
void cprof_backoff_succeeded(struct cprof_backoff *backoff);

/* The next wait. server_delay_ns: 0 if the server gave none. */
uint64_t cprof_backoff_next_ns(struct cprof_backoff *backoff, uint64_t server_delay_ns);

#endif
