/* test_ceiling.c - see gateway/windows/ceiling.h. The rules: test_overhead.c and
 * test_budget.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/windows/ceiling.h"

#include <string.h>

#include "../../shared/base/log.h"
#include "expect.h"

#define MS     UINT64_C(1000000)
#define SET_MS 10u

#define MAX_SAMPLES 1000u

static struct cprof_ceiling ceiling;
static char logged[512]; /* since the last window */

static void keep_line(const char *line)
{
    (void)snprintf(logged, sizeof(logged), "%s", line);
}

static void begin_test(uint32_t hundredths)
{
    const struct cprof_config config = {.max_overhead_hundredths = hundredths,
                                        .max_samples = MAX_SAMPLES};

    cprof_log_setup(keep_line, CPROF_LOG_DEBUG);
    cprof_ceiling_init(&ceiling, &config);
    EXPECT(ceiling.percent < 0 && ceiling.samples_per_s < 0);
    EXPECT(cprof_ceiling_period_ms(&ceiling, SET_MS) == SET_MS);
}

/* A window of the period in force ends, in which the second worker paid so much. */
static struct cprof_window_result a_result(struct cprof_window *window,
                                           struct cprof_harvest *harvest, double percent)
{
    *window = (struct cprof_window){.period_ns = cprof_ceiling_period_ms(&ceiling, SET_MS) * MS};
    *harvest = (struct cprof_harvest){.worst_firm_percent = percent,
                                      .worst_percent = percent,
                                      .worst_samples_percent = percent,
                                      .worst_kind = CPROF_SLOT_WORKER,
                                      .worst_number = 2};
    logged[0] = '\0';
    return (struct cprof_window_result){.window = window, .harvest = harvest, .steady = true};
}

static void end_window(double percent)
{
    struct cprof_window window;
    struct cprof_harvest harvest;
    struct cprof_window_result result = a_result(&window, &harvest, percent);

    cprof_ceiling_window_ended(&ceiling, &result, SET_MS);
}

static void a_window_that_cost_too_much_slows_the_next_ones_and_says_so(void)
{
    begin_test(5);
    end_window(1.25);

    EXPECT(cprof_ceiling_period_ms(&ceiling, SET_MS) == 20 && ceiling.percent == 1.25);
    EXPECT(strstr(logged, "warning: profiling took 1.25 % of the CPU time of worker 2, more than "
                          "cloudprofiler-max-overhead (0.05): one sample each 20 ms from now on, "
                          "not each 10 ms"));
}

static void cheap_windows_bring_the_period_back_and_say_so(void)
{
    begin_test(100);
    end_window(1.25);
    end_window(0.1);
    end_window(0.1);
    EXPECT(cprof_ceiling_period_ms(&ceiling, SET_MS) == 20 && logged[0] == '\0');
    end_window(0.1);

    EXPECT(cprof_ceiling_period_ms(&ceiling, SET_MS) == 10);
    EXPECT(strstr(logged, "profiling took 0.10 % of the CPU time of worker 2, 0.10 % for samples"));
    EXPECT(strstr(logged, "one sample each 10 ms from now on, as is set"));
}

/* They fill up the ceiling when samples are few, and give way when there are more again. */
static void looks_that_give_way_do_not_keep_the_period_long(void)
{
    struct cprof_window window;
    struct cprof_harvest harvest;
    struct cprof_window_result result;

    begin_test(100);
    end_window(1.25);
    for (int i = 0; i < 3; i++) {
        result = a_result(&window, &harvest, 0.95);
        harvest.worst_firm_percent = 0.6;
        harvest.worst_samples_percent = 0.1;
        cprof_ceiling_window_ended(&ceiling, &result, SET_MS);
        EXPECT(ceiling.percent == 0.95);
    }
    EXPECT(cprof_ceiling_period_ms(&ceiling, SET_MS) == SET_MS);
}

static void without_a_ceiling_the_cost_is_known_and_nothing_changes(void)
{
    begin_test(0);
    end_window(99);

    EXPECT(cprof_ceiling_period_ms(&ceiling, SET_MS) == 10 && logged[0] == '\0');
    EXPECT(ceiling.percent == 99);
}

static void windows_that_say_nothing_about_the_period_are_left_out(void)
{
    struct cprof_window window;
    struct cprof_harvest harvest;
    struct cprof_window_result result;

    begin_test(100);
    result = a_result(&window, &harvest, 9);
    result.steady = false;
    cprof_ceiling_window_ended(&ceiling, &result, SET_MS);
    result = a_result(&window, &harvest, 9);
    window.period_ns = 5 * MS;
    cprof_ceiling_window_ended(&ceiling, &result, SET_MS);
    result = a_result(&window, &harvest, 9);
    result.harvest = NULL;
    cprof_ceiling_window_ended(&ceiling, &result, SET_MS);
    end_window(CPROF_OVERHEAD_UNKNOWN);

    EXPECT(cprof_ceiling_period_ms(&ceiling, SET_MS) == SET_MS && ceiling.percent < 0);
}

static void another_setting_keeps_the_stretch(void)
{
    begin_test(100);
    end_window(5);

    EXPECT(cprof_ceiling_period_ms(&ceiling, 50) == 100);
    EXPECT(cprof_ceiling_period_ms(&ceiling, 1000) == 1000);
}

/* The same of 10 s, while so many processors are busy. */
static void end_busy_window(uint64_t processors, double percent)
{
    struct cprof_window window;
    struct cprof_harvest harvest;
    struct cprof_window_result result = a_result(&window, &harvest, percent);

    window.end_ns = 10000 * MS;
    harvest.duration_ns = window.end_ns;
    harvest.samples = processors * window.end_ns / window.period_ns;
    cprof_ceiling_window_ended(&ceiling, &result, SET_MS);
}

static void a_window_of_too_many_samples_lengthens_the_period_and_says_so(void)
{
    begin_test(100);
    end_busy_window(64, 0.5);

    EXPECT(cprof_ceiling_period_ms(&ceiling, SET_MS) == 64 && ceiling.samples_per_s == 6400);
    EXPECT(strstr(logged, "all processes together gave 6400 samples a second, where "
                          "cloudprofiler-max-samples is 1000: one sample each 64 ms from now on"));
    end_busy_window(2, 0.5);
    EXPECT(cprof_ceiling_period_ms(&ceiling, SET_MS) == SET_MS);
    EXPECT(strstr(logged, "one sample each 10 ms from now on, as is set"));
}

/* What the window cost is known, but the next one has a tenth of its samples. */
static void a_window_of_too_many_samples_is_not_judged_by_its_cost(void)
{
    begin_test(100);
    end_busy_window(100, 9);
    EXPECT(cprof_ceiling_period_ms(&ceiling, SET_MS) == 100 && ceiling.percent == 9);
    end_busy_window(100, 3);
    EXPECT(cprof_ceiling_period_ms(&ceiling, SET_MS) == 200);
    EXPECT(strstr(logged, "profiling took 3.00 %"));
}

/* The ceiling's stretch is no reason for more samples than the budget has room for. */
static void both_ceilings_hold_together_and_ease_together(void)
{
    begin_test(100);
    end_busy_window(40, 2);
    end_busy_window(40, 2);
    EXPECT(cprof_ceiling_period_ms(&ceiling, SET_MS) == 80);
    for (int i = 0; i < 4; i++) {
        end_busy_window(40, 0.1);
    }
    EXPECT(cprof_ceiling_period_ms(&ceiling, SET_MS) == 40);
    for (int i = 0; i < 4; i++) {
        end_busy_window(40, 0.1);
    }
    EXPECT(cprof_ceiling_period_ms(&ceiling, SET_MS) == 40);
}

static void samples_of_windows_beside_shorter_periods_are_not_counted(void)
{
    struct cprof_window window;
    struct cprof_harvest harvest;
    struct cprof_window_result result;

    begin_test(100);
    result = a_result(&window, &harvest, 0.1);
    window.end_ns = 10000 * MS;
    harvest.samples = 1000000;
    result.steady = false;
    cprof_ceiling_window_ended(&ceiling, &result, SET_MS);
    EXPECT(cprof_ceiling_period_ms(&ceiling, SET_MS) == SET_MS && ceiling.samples_per_s < 0);
}

int main(void)
{
    RUN(a_window_that_cost_too_much_slows_the_next_ones_and_says_so);
    RUN(cheap_windows_bring_the_period_back_and_say_so);
    RUN(looks_that_give_way_do_not_keep_the_period_long);
    RUN(without_a_ceiling_the_cost_is_known_and_nothing_changes);
    RUN(windows_that_say_nothing_about_the_period_are_left_out);
    RUN(another_setting_keeps_the_stretch);
    RUN(a_window_of_too_many_samples_lengthens_the_period_and_says_so);
    RUN(a_window_of_too_many_samples_is_not_judged_by_its_cost);
    RUN(both_ceilings_hold_together_and_ease_together);
    RUN(samples_of_windows_beside_shorter_periods_are_not_counted);
    return 0;
}
