/* test_backoff.c - see gateway/cloud/backoff.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/cloud/backoff.h"

#include <stdbool.h>

#include "expect.h"

#define SECOND_NS UINT64_C(1000000000)
#define MINUTE_NS (60 * SECOND_NS)
#define HOUR_NS   (60 * MINUTE_NS)

static struct cprof_backoff fresh(uint64_t seed)
{
    struct cprof_backoff backoff;

    cprof_backoff_init(&backoff, MINUTE_NS, seed);
    return backoff;
}

static void waits_stay_below_an_envelope_that_grows_to_an_hour(void)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct cprof_backoff backoff = fresh(seed);
        double envelope_ns = (double)MINUTE_NS;

        for (int i = 0; i < 40; i++) {
            uint64_t wait_ns = cprof_backoff_next_ns(&backoff, 0);

            EXPECT(wait_ns >= SECOND_NS && (double)wait_ns <= envelope_ns);
            envelope_ns *= 1.3;
            envelope_ns = envelope_ns > (double)HOUR_NS ? (double)HOUR_NS : envelope_ns;
        }
    }
}

static void waits_use_all_of_the_envelope(void)
{
    uint64_t least = UINT64_MAX, most = 0;

    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct cprof_backoff backoff = fresh(seed);
        uint64_t wait_ns = cprof_backoff_next_ns(&backoff, 0);

        least = wait_ns < least ? wait_ns : least;
        most = wait_ns > most ? wait_ns : most;
    }
    EXPECT(least < MINUTE_NS / 20 && most > MINUTE_NS / 20 * 19);
}

static void after_many_failures_it_waits_up_to_an_hour(void)
{
    struct cprof_backoff backoff = fresh(7);
    uint64_t most = 0;

    for (int i = 0; i < 1000; i++) {
        uint64_t wait_ns = cprof_backoff_next_ns(&backoff, 0);

        most = wait_ns > most ? wait_ns : most;
    }
    EXPECT(most > HOUR_NS / 20 * 19 && most <= HOUR_NS);
}

static void a_success_starts_anew(void)
{
    struct cprof_backoff backoff = fresh(1);

    for (int i = 0; i < 100; i++) {
        (void)cprof_backoff_next_ns(&backoff, 0);
    }
    for (int i = 0; i < 100; i++) {
        cprof_backoff_succeeded(&backoff);
        EXPECT(cprof_backoff_next_ns(&backoff, 0) <= MINUTE_NS);
    }
}

static void the_server_s_delay_is_taken_and_changes_nothing(void)
{
    struct cprof_backoff asked = fresh(5), unasked = fresh(5);

    EXPECT(cprof_backoff_next_ns(&asked, 33 * MINUTE_NS) == 33 * MINUTE_NS);
    EXPECT(cprof_backoff_next_ns(&asked, 2 * HOUR_NS) == 2 * HOUR_NS);
    EXPECT(cprof_backoff_next_ns(&asked, 6 * HOUR_NS + 1) == 6 * HOUR_NS);
    EXPECT(cprof_backoff_next_ns(&asked, UINT64_MAX) == 6 * HOUR_NS);
    EXPECT(cprof_backoff_next_ns(&asked, 1) == SECOND_NS);
    for (int i = 0; i < 20; i++) {
        EXPECT(cprof_backoff_next_ns(&asked, 0) == cprof_backoff_next_ns(&unasked, 0));
    }
}

static void instances_do_not_come_back_together(void)
{
    struct cprof_backoff one = fresh(100), other = fresh(101);
    bool differ = false;

    for (int i = 0; i < 4; i++) {
        differ |= cprof_backoff_next_ns(&one, 0) != cprof_backoff_next_ns(&other, 0);
    }
    EXPECT(differ);
}

static void any_start_is_made_a_sound_one(void)
{
    static const uint64_t starts[] = {0, 1, SECOND_NS, HOUR_NS, UINT64_MAX};

    for (unsigned i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
        struct cprof_backoff backoff;

        cprof_backoff_init(&backoff, starts[i], UINT64_MAX);
        for (int j = 0; j < 50; j++) {
            uint64_t wait_ns = cprof_backoff_next_ns(&backoff, 0);

            EXPECT(wait_ns >= SECOND_NS && wait_ns <= HOUR_NS);
        }
    }
}

int main(void)
{
    RUN(waits_stay_below_an_envelope_that_grows_to_an_hour);
    RUN(waits_use_all_of_the_envelope);
    RUN(after_many_failures_it_waits_up_to_an_hour);
    RUN(a_success_starts_anew);
    RUN(the_server_s_delay_is_taken_and_changes_nothing);
    RUN(instances_do_not_come_back_together);
    RUN(any_start_is_made_a_sound_one);
    return 0;
}
