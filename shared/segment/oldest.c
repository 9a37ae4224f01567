/* oldest.c - see oldest.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "oldest.h"

#include "../base/units.h"

uint64_t cprof_oldest_followed_from_us(uint64_t now_us, uint32_t slow_request_s)
{
    uint64_t longest_us = (slow_request_s + (uint64_t)CPROF_FOLLOWED_SECONDS_MAX) * US_PER_S;

    return slow_request_s && now_us > longest_us ? now_us - longest_us : 0;
}

static uint64_t older(uint64_t one_us, uint64_t other_us)
{
    return one_us == 0 || other_us < one_us ? other_us : one_us;
}

bool cprof_oldest_would_follow(const struct cprof_oldest *oldest, uint64_t start_us,
                               uint64_t followed_from_us)
{
    return start_us > followed_from_us &&
           (oldest->followed_us == 0 || start_us < oldest->followed_us);
}

void cprof_oldest_add(struct cprof_oldest *oldest, uint64_t start_us, uint64_t followed_from_us)
{
    if (start_us == 0) {
        return;
    }
    oldest->request_us = older(oldest->request_us, start_us);
    if (cprof_oldest_would_follow(oldest, start_us, followed_from_us)) {
        oldest->followed_us = start_us;
    }
}
