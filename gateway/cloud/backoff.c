/* backoff.c - see backoff.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "backoff.h"

#include "../../shared/base/random.h"
#include "../../shared/base/units.h"

#define ENVELOPE_NS_MAX (3600 * NS_PER_S)
#define WAIT_NS_MIN     NS_PER_S
#define SERVER_NS_MAX   (6 * 3600 * NS_PER_S)

static uint64_t between(uint64_t value, uint64_t low, uint64_t high)
{
    if (value < low) {
        return low;
    }
    return value > high ? high : value;
}

void cprof_backoff_init(struct cprof_backoff *backoff, uint64_t first_ns, uint64_t seed)
{
    *backoff = (struct cprof_backoff){
        .first_ns = between(first_ns, WAIT_NS_MIN, ENVELOPE_NS_MAX),
        .random = seed,
    };
    backoff->envelope_ns = backoff->first_ns;
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
    wait_ns = cprof_random_below(&backoff->random, backoff->envelope_ns);
    backoff->envelope_ns =
        between(backoff->envelope_ns + backoff->envelope_ns * 3 / 10, 0, ENVELOPE_NS_MAX);
    return between(wait_ns, WAIT_NS_MIN, ENVELOPE_NS_MAX);
}
