/* test_ceiling.c - see gateway/windows/ceiling.h. The rule itself: test_overhead.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/windows/ceiling.h"

#include <string.h>

#include "../../shared/base/log.h"
#include "expect.h"

#define MS     UINT64_C(1000000)
#define SET_MS 10u

static struct cprof_ceiling ceiling;
static char logged[512]; /* since the last window */

static void keep_line(const char *line)
{
    (void)snprintf(logged, sizeof(logged), "%s", line);
}

static void begin_test(uint32_t hundredths)
{
    const struct cprof_config config = {.max_overhead_hundredths = hundredths};

    cprof_log_setup(keep_line, CPROF_LOG_DEBUG);
    cprof_ceiling_init(&ceiling, &config);
    EXPECT(ceiling.percent < 0 && cprof_ceiling_period_ms(&ceiling, SET_MS) == SET_MS);
}

/* A window of the period in force ends, in which the second worker paid so much. */
static struct cprof_window_result a_result(struct cprof_window *window,
                                           struct cprof_harvest *harvest, double percent)
{
    *window = (struct cprof_window){.period_ns = cprof_ceiling_period_ms(&ceiling, SET_MS) * MS};
    *harvest = (struct cprof_harvest){
        .worst_percent = percent, .worst_kind = CPROF_SLOT_WORKER, .worst_number = 2};
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
    EXPECT(strstr(logged, "profiling took at most 0.10 %"));
    EXPECT(strstr(logged, "one sample each 10 ms from now on, as is set"));
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

int main(void)
{
    RUN(a_window_that_cost_too_much_slows_the_next_ones_and_says_so);
    RUN(cheap_windows_bring_the_period_back_and_say_so);
    RUN(without_a_ceiling_the_cost_is_known_and_nothing_changes);
    RUN(windows_that_say_nothing_about_the_period_are_left_out);
    RUN(another_setting_keeps_the_stretch);
    return 0;
}
