/* test_oldest.c - see shared/segment/oldest.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../shared/segment/oldest.h"

#include "expect.h"

#define S UINT64_C(1000000)

static void the_oldest_request_is_told(void)
{
    struct cprof_oldest oldest = {0};

    cprof_oldest_add(&oldest, 0, 0);
    EXPECT(oldest.request_us == 0 && oldest.followed_us == 0);
    cprof_oldest_add(&oldest, 50 * S, 0);
    cprof_oldest_add(&oldest, 40 * S, 0);
    cprof_oldest_add(&oldest, 60 * S, 0);
    EXPECT(oldest.request_us == 40 * S && oldest.followed_us == 40 * S);
}

static void one_that_hangs_hides_no_other(void)
{
    uint64_t now_us = 2000 * S, from_us = cprof_oldest_followed_from_us(now_us, 5);
    struct cprof_oldest oldest = {0};

    cprof_oldest_add(&oldest, now_us - 605 * S, from_us);
    EXPECT(oldest.request_us == now_us - 605 * S && oldest.followed_us == 0);
    cprof_oldest_add(&oldest, now_us - 7 * S, from_us);
    cprof_oldest_add(&oldest, now_us - 604 * S, from_us);
    cprof_oldest_add(&oldest, now_us - 1000 * S, from_us);
    EXPECT(oldest.request_us == now_us - 1000 * S);
    EXPECT(oldest.followed_us == now_us - 604 * S);
}

static void one_that_is_slow_by_nature_is_the_oldest_and_not_followed(void)
{
    struct cprof_oldest oldest = {0};

    cprof_oldest_add(&oldest, 40 * S, UINT64_MAX);
    EXPECT(oldest.request_us == 40 * S && oldest.followed_us == 0);
    EXPECT(cprof_oldest_would_follow(&oldest, 60 * S, 50 * S));
    EXPECT(!cprof_oldest_would_follow(&oldest, 50 * S, 50 * S));
    EXPECT(!cprof_oldest_would_follow(&oldest, 0, 0));
    cprof_oldest_add(&oldest, 60 * S, 50 * S);
    EXPECT(oldest.request_us == 40 * S && oldest.followed_us == 60 * S);
    EXPECT(!cprof_oldest_would_follow(&oldest, 61 * S, 50 * S));
    EXPECT(cprof_oldest_would_follow(&oldest, 59 * S, 50 * S));
}

static void without_a_limit_all_may_be_followed(void)
{
    EXPECT(cprof_oldest_followed_from_us(2000 * S, 0) == 0);
    EXPECT(cprof_oldest_followed_from_us(600 * S, 5) == 0);
    EXPECT(cprof_oldest_followed_from_us(UINT64_MAX, UINT32_MAX) > 0);
}

int main(void)
{
    RUN(the_oldest_request_is_told);
    RUN(one_that_hangs_hides_no_other);
    RUN(one_that_is_slow_by_nature_is_the_oldest_and_not_followed);
    RUN(without_a_limit_all_may_be_followed);
    return 0;
}
