/* test_perf_grid.c - see plugin/threads/perf_grid.h. The thread's clock and the kernel's overflows
 * are simulated; seeds are fixed, so that what passes once passes always.
 *
 * sources: plugin/threads/perf_grid.c plugin/threads/interval.c
 * flags: -lm
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/threads/perf_grid.h"

#include <math.h>
#include <stdatomic.h>

#include "../../shared/base/random.h"
#include "expect.h"

#define MS        UINT64_C(1000000)
#define PERIOD_NS (10 * MS)
#define ROUND_NS  (100 * MS) /* between two looks of the ticker */
#define SIGMAS    5

/* A thread that runs on and on, seen by its own CPU clock. */
static struct {
    struct cprof_perf_grid grid;
    uint64_t period_ns;
    uint64_t now_ns;
    uint64_t overflow_ns; /* the next one */
    uint64_t look_ns;     /* of the ticker, the next one and the last one */
    uint64_t looked_ns;
    uint64_t random;
    double user_part; /* how likely an overflow meets user mode */
    uint32_t overflows, samples;
    uint64_t weight_ns;  /* of the samples */
    uint64_t sampled_ns; /* the weight of the last overflow */
} thread;

static void begin(uint64_t period_ns, uint64_t seed)
{
    uint64_t now_ns = 1000 * MS + seed % MS;
    uint64_t step_ns;

    thread = (typeof(thread)){
        .period_ns = period_ns, .now_ns = now_ns, .random = ~seed << 1, .user_part = 1};
    step_ns = cprof_perf_grid_begin(&thread.grid, period_ns, now_ns, seed);
    thread.overflow_ns = now_ns + step_ns;
    thread.looked_ns = now_ns;
    thread.look_ns = now_ns + cprof_random_below(&thread.random, ROUND_NS);
}

static void overflow(void)
{
    thread.now_ns = thread.overflow_ns;
    thread.overflow_ns += atomic_load(&thread.grid.step_ns);
    thread.sampled_ns = 0;
    if ((double)cprof_random_below(&thread.random, 1u << 20) >= thread.user_part * (1u << 20)) {
        return; /* the kernel tells nobody */
    }
    thread.sampled_ns = cprof_perf_grid_take(&thread.grid, thread.period_ns, thread.now_ns);
    thread.overflows++;
    thread.samples += thread.sampled_ns > 0;
    thread.weight_ns += thread.sampled_ns;
}

static void look(void)
{
    uint64_t used_ns = thread.look_ns - thread.looked_ns, step_ns;

    thread.now_ns = thread.looked_ns = thread.look_ns;
    thread.look_ns += ROUND_NS * 3 / 4 + cprof_random_below(&thread.random, ROUND_NS / 2);
    step_ns = cprof_perf_grid_follow(&thread.grid, thread.period_ns, used_ns);
    if (step_ns) {
        EXPECT(step_ns > thread.period_ns / 2 && step_ns <= thread.period_ns);
        thread.overflow_ns = thread.now_ns + step_ns;
    }
}

/* Goes on to the next overflow, with the looks before it. False: it is beyond end_ns. */
static bool go_on(uint64_t end_ns)
{
    while (thread.look_ns < thread.overflow_ns && thread.look_ns <= end_ns) {
        look();
    }
    if (thread.overflow_ns > end_ns) {
        return false;
    }
    overflow();
    return true;
}

static void run(uint64_t used_ns)
{
    uint64_t end_ns = thread.now_ns + used_ns;

    while (go_on(end_ns)) {
    }
}

static void a_long_threads_weights_are_its_time(void)
{
    static const uint64_t periods_ns[] = {1 * MS, 3 * MS, 10 * MS, 1000 * MS};

    for (uint32_t i = 0; i < sizeof(periods_ns) / sizeof(periods_ns[0]); i++) {
        uint64_t used_ns = 2000 * periods_ns[i], off_ns;

        begin(periods_ns[i], i);
        run(used_ns);
        off_ns =
            thread.weight_ns > used_ns ? thread.weight_ns - used_ns : used_ns - thread.weight_ns;
        /* An interval at each end, and at most one step that is not over. */
        EXPECT(off_ns <= 4 * periods_ns[i]);
        EXPECT(thread.samples > 2000 * 9 / 10 && thread.samples < 2000 * 11 / 10);
        EXPECT(thread.overflows < 2000 * 8 / 5);
    }
}

/* From one thread to the next, samples and weights in periods deviate by less than 1. The shortest
 * step is a 16th of a period. */
static void a_short_thread_is_expected_in_the_samples_that_its_time_is_worth(void)
{
    enum { THREADS = 40000 };
    static const double periods[] = {0.1, 0.3, 0.6, 1, 2, 4};

    for (uint32_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
        double samples = 0, weights = 0;

        for (uint32_t number = 0; number < THREADS; number++) {
            begin(PERIOD_NS, (uint64_t)number << 20 | i);
            run((uint64_t)(periods[i] * (double)PERIOD_NS));
            samples += thread.samples;
            weights += (double)thread.weight_ns / (double)PERIOD_NS;
        }
        EXPECT(fabs(weights / THREADS / periods[i] - 1) <=
               0.02 + SIGMAS / periods[i] / sqrt(THREADS));
        EXPECT(fabs(samples / THREADS / periods[i] - 1) <=
               0.05 + SIGMAS / periods[i] / sqrt(THREADS));
    }
}

static void overflows_in_kernel_mode_take_their_time_along(void)
{
    static const double parts[] = {0.1, 0.5, 0.9};

    for (uint32_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        double periods = 40000;

        begin(PERIOD_NS, 77 + i);
        thread.user_part = parts[i];
        run((uint64_t)periods * PERIOD_NS);
        /* A step is up to one period and comes by chance. */
        EXPECT(fabs((double)thread.weight_ns / (double)PERIOD_NS / periods - parts[i]) <=
               SIGMAS / sqrt(periods) + 0.01);
    }
}

static void no_step_is_so_short_that_overflows_pile_up(void)
{
    for (uint64_t seed = 0; seed < 20000; seed++) {
        struct cprof_perf_grid grid;

        EXPECT(cprof_perf_grid_begin(&grid, PERIOD_NS, 1, seed) >= PERIOD_NS / 16);
        EXPECT(cprof_perf_grid_begin(&grid, 1 * MS, 1, seed) >= MS / 4);
        EXPECT(cprof_perf_grid_begin(&grid, PERIOD_NS, 1, seed) < PERIOD_NS * 3 / 2);
    }
}

/* The square of a window's deviation, in that of as many independent samples, for work of which
 * the first half is looked for. */
static double spread_of_window(uint64_t work_ns, uint64_t used_ns, uint64_t seed)
{
    double first = 0, all = 0, samples = 0;
    uint64_t offset_ns, end_ns;

    begin(PERIOD_NS, seed);
    offset_ns = cprof_random_below(&thread.random, work_ns);
    end_ns = thread.now_ns + used_ns;
    while (go_on(end_ns)) {
        bool is_first = (thread.now_ns + offset_ns) % work_ns < work_ns / 2;

        samples += thread.sampled_ns > 0;
        all += (double)thread.sampled_ns;
        first += is_first ? (double)thread.sampled_ns : 0;
    }
    return samples > 0 ? samples * pow(first / all - 0.5, 2) / 0.25 : 1;
}

/* The mean of as many squares, each of which deviates by some sqrt(2). */
static void shares_of_work_that_repeats_are_spread_as_by_chance(void)
{
    enum { WINDOWS = 4000 };
    static const uint64_t works_ns[] = {3 * MS, 5 * MS, 10 * MS, 20 * MS};
    static const uint64_t used_ns[] = {300 * MS, 3000 * MS};

    for (uint32_t i = 0; i < 8; i++) {
        double sum = 0;

        for (uint64_t window = 0; window < WINDOWS; window++) {
            sum += spread_of_window(works_ns[i % 4], used_ns[i / 4], window << 8 | i);
        }
        EXPECT(sqrt(sum / WINDOWS) <= 1.2 + SIGMAS * sqrt(2) / 2 / sqrt(WINDOWS));
    }
}

static void after_a_long_time_in_the_kernel_sampling_goes_on_at_once(void)
{
    begin(1 * MS, 5);
    run(20 * MS);
    thread.weight_ns = 0;
    /* A day, most of which is not counted off in intervals. */
    thread.now_ns += UINT64_C(86400000) * MS;
    thread.overflow_ns = thread.looked_ns = thread.look_ns = thread.now_ns;
    thread.look_ns += ROUND_NS;
    run(20 * MS);
    EXPECT(thread.weight_ns >= 15 * MS && thread.weight_ns <= 25 * MS);
}

static void a_new_period_holds_from_the_next_sample_on(void)
{
    uint64_t step_ns;

    begin(100 * MS, 9);
    run(1000 * MS);
    thread.period_ns = PERIOD_NS;
    step_ns = cprof_perf_grid_change(&thread.grid, PERIOD_NS);
    EXPECT(step_ns > PERIOD_NS / 2 && step_ns <= PERIOD_NS);
    thread.overflow_ns = thread.now_ns + step_ns;
    run(150 * MS); /* what was due is past */
    thread.samples = 0;
    thread.weight_ns = 0;
    run(10000 * MS);
    EXPECT(thread.samples > 900 && thread.samples < 1100);
    EXPECT(thread.weight_ns > 9950 * MS && thread.weight_ns < 10050 * MS);
}

static void a_switch_is_dearer_the_shorter_the_period_is(void)
{
    EXPECT(cprof_perf_grid_switch_ns(1000 * MS, 4 * MS, 1500, 12500) == 1529);
    EXPECT(cprof_perf_grid_switch_ns(20 * MS, 4 * MS, 1500, 12500) == 2966);
    EXPECT(cprof_perf_grid_switch_ns(10 * MS, 4 * MS, 1500, 12500) == 4433);
    EXPECT(cprof_perf_grid_switch_ns(1 * MS, 4 * MS, 1500, 12500) == 12500);
    EXPECT(cprof_perf_grid_switch_ns(0, 0, 1500, 12500) == 12500); /* none is armed yet */
    EXPECT(cprof_perf_grid_switch_ns(10 * MS, 4 * MS, 1500, 1400) == 1500);
}

int main(void)
{
    RUN(a_long_threads_weights_are_its_time);
    RUN(a_short_thread_is_expected_in_the_samples_that_its_time_is_worth);
    RUN(overflows_in_kernel_mode_take_their_time_along);
    RUN(no_step_is_so_short_that_overflows_pile_up);
    RUN(shares_of_work_that_repeats_are_spread_as_by_chance);
    RUN(after_a_long_time_in_the_kernel_sampling_goes_on_at_once);
    RUN(a_new_period_holds_from_the_next_sample_on);
    RUN(a_switch_is_dearer_the_shorter_the_period_is);
    return 0;
}
