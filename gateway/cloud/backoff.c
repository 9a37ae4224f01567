/* backoff.c - see backoff.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "backoff.h"

#define SECOND_NS       UINT64_C(1000000000)
#define ENVELOPE_NS_MAX (3600 * SECOND_NS)
#define WAIT_NS_MIN     SECOND_NS
#define SERVER_NS_MAX   (6 * 3600 * SECOND_NS)

static uint64_t between(uint64_t value, uint64_t low, uint64_t high)
{
    if (value < low) {
        return low;
    }
    return value > high ? high : value;
}

/* Marsaglia's xorshift64: nobody gains by guessing a wait, so that plain will do. */
static uint64_t next_random(struct cprof_backoff *backoff)
{
    backoff->random ^= backoff->random << 13;
    backoff->random ^= backoff->random >> 7;
    backoff->random ^= backoff->random << 17;
    return backoff->random;
}

void cprof_backoff_init(struct cprof_backoff *backoff, uint64_t first_ns, uint64_t seed)
{
    *backoff = (struct cprof_backoff){
        .first_ns = between(first_ns, WAIT_NS_MIN, ENVELOPE_NS_MAX),
        /* An odd multiplier parts seeds that are near each other; zero would stay zero. */
        .random = (seed * UINT64_C(0x9e3779b97f4a7c15)) | 1,
    };
    backoff->envelope_ns = backoff->first_ns;
    for (int i = 0; i < 8; i++) {
        (void)next_random(backoff);
    }
}

void cprof_backoff_succeeded(struct cprof_backoff *backoff)
{
    backoff->envelope_ns = backoff->first_ns;
}

uint64_t cprof_backoff_next_ns(struct cprof_backoff *backoff, uint64_t server_delay_ns)
{
    uint64_t wait_ns;

    if (server_delay_ns > 0) {
        return between(server_delay_ns, WAIT_NS_MIN, SERVER_NS_MAX);
    }
    wait_ns = next_random(backoff) % backoff->envelope_ns;
    backoff->envelope_ns =
        between(backoff->envelope_ns + backoff->envelope_ns * 3 / 10, 0, ENVELOPE_NS_MAX);
    return between(wait_ns, WAIT_NS_MIN, ENVELOPE_NS_MAX);
}
