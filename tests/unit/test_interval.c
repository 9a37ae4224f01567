/* test_interval.c - see plugin/threads/interval.h. Seeds are fixed: what passes once passes always.
 *
 * sources: plugin/threads/interval.c
 * flags: -lm
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/threads/interval.h"

#include <math.h>

#include "expect.h"

#define PERIOD_NS UINT64_C(10000000)
#define DRAWS     100000u
#define SIGMAS    5

static uint64_t random_state;

/* In periods, of which the standard deviation is 1/sqrt(12). */
static double mean_of_intervals(void)
{
    double sum = 0;

    for (uint32_t i = 0; i < DRAWS; i++) {
        sum += (double)cprof_interval(&random_state, PERIOD_NS) / (double)PERIOD_NS;
    }
    return sum / DRAWS;
}

static void intervals_are_half_to_one_and_a_half_periods_and_one_on_average(void)
{
    random_state = 1;
    for (uint32_t i = 0; i < DRAWS; i++) {
        uint64_t interval_ns = cprof_interval(&random_state, PERIOD_NS);

        EXPECT(interval_ns >= PERIOD_NS / 2 && interval_ns < PERIOD_NS * 3 / 2);
    }
    EXPECT(fabs(mean_of_intervals() - 1) <= SIGMAS / sqrt(12.0 * DRAWS));
}

static void a_first_rest_lies_in_its_interval(void)
{
    random_state = 2;
    for (uint32_t i = 0; i < DRAWS; i++) {
        struct cprof_first_interval first = cprof_interval_first(&random_state, PERIOD_NS);

        EXPECT(first.rest_ns >= 1 && first.rest_ns <= first.length_ns);
        EXPECT(first.length_ns >= PERIOD_NS / 2 && first.length_ns < PERIOD_NS * 3 / 2);
    }
}

/* A moment falls into a long interval rather than into a short one: lengths have the mean
 * E(x^2) / E(x), which is 13/12 periods, and rests have half of it. No deviation is above 0.4. */
static void a_first_interval_is_one_that_a_moment_falls_into(void)
{
    double rests = 0, lengths = 0;

    random_state = 3;
    for (uint32_t i = 0; i < DRAWS; i++) {
        struct cprof_first_interval first = cprof_interval_first(&random_state, PERIOD_NS);

        rests += (double)first.rest_ns / (double)PERIOD_NS;
        lengths += (double)first.length_ns / (double)PERIOD_NS;
    }
    EXPECT(fabs(lengths / DRAWS - 13.0 / 12) <= SIGMAS * 0.4 / sqrt(DRAWS));
    EXPECT(fabs(rests / DRAWS - 13.0 / 24) <= SIGMAS * 0.4 / sqrt(DRAWS));
}

/* The samples and the weight of a thread that uses so much. */
static uint32_t count_samples(uint64_t used_ns, double *weight_ns)
{
    struct cprof_first_interval first = cprof_interval_first(&random_state, PERIOD_NS);
    uint64_t due_ns = first.rest_ns, interval_ns = first.length_ns;
    uint32_t samples = 0;

    while (due_ns <= used_ns) {
        samples++;
        *weight_ns += (double)interval_ns;
        interval_ns = cprof_interval(&random_state, PERIOD_NS);
        due_ns += interval_ns;
    }
    return samples;
}

/* A count, and a weight in periods, deviate by less than 1 from one thread to the next. */
static void a_thread_is_expected_in_the_samples_that_its_time_is_worth(void)
{
    static const double periods[] = {0.01, 0.1, 0.4, 0.6, 1, 1.3, 2, 4.5};

    random_state = 4;
    for (uint32_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
        double weight_ns = 0, samples = 0;

        for (uint32_t thread = 0; thread < DRAWS; thread++) {
            samples += count_samples((uint64_t)(periods[i] * (double)PERIOD_NS), &weight_ns);
        }
        EXPECT(fabs(samples / DRAWS - periods[i]) <= SIGMAS / sqrt(DRAWS));
        EXPECT(fabs(weight_ns / (double)PERIOD_NS / DRAWS - periods[i]) <= SIGMAS / sqrt(DRAWS));
    }
}

static void seeds_that_are_neighbours_begin_differently(void)
{
    double sum = 0;

    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        uint64_t state = seed;

        sum += (double)cprof_interval_first(&state, PERIOD_NS).rest_ns / (double)PERIOD_NS;
    }
    EXPECT(fabs(sum / DRAWS - 13.0 / 24) <= SIGMAS * 0.4 / sqrt(DRAWS));
}

int main(void)
{
    RUN(intervals_are_half_to_one_and_a_half_periods_and_one_on_average);
    RUN(a_first_rest_lies_in_its_interval);
    RUN(a_first_interval_is_one_that_a_moment_falls_into);
    RUN(a_thread_is_expected_in_the_samples_that_its_time_is_worth);
    RUN(seeds_that_are_neighbours_begin_differently);
    return 0;
}
