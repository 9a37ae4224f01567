/* test_switches.c - see plugin/sample/switches.h, with counts and costs of its own.
 *
 * sources: plugin/sample/switches.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/sample/switches.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

#include "../../plugin/threads/engine_perf.h"
#include "../../shared/base/log.h"
#include "../../shared/segment/layout.h"
#include "expect.h"

#define MS      UINT64_C(1000000)
#define S       UINT64_C(1000000000)
#define COST_NS UINT64_C(4000)

#define PERIOD_NS (10 * MS)

static struct {
    bool is_used, is_given_up;
    uint32_t measurements;
    uint64_t period_ns; /* of the last one */
    uint64_t cost_ns;   /* what the next one finds */
} perf = {.cost_ns = COST_NS};

static struct {
    long ticker, all; /* switches, of which each kind has a half */
} kernel;

static _Atomic uint64_t counters[CPROF_COUNTER_COUNT];
static char logged[512];

bool cprof_engine_perf_is_used(void)
{
    return perf.is_used && !perf.is_given_up;
}

bool cprof_engine_perf_is_given_up(void)
{
    return perf.is_given_up;
}

void cprof_engine_perf_give_up(void)
{
    perf.is_given_up = true;
}

uint64_t cprof_engine_perf_measure_switch(uint64_t period_ns)
{
    perf.measurements++;
    perf.period_ns = period_ns;
    return perf.cost_ns;
}

/* In the place of the C library's. */
int getrusage(__rusage_who_t who, struct rusage *usage)
{
    long count = who == RUSAGE_THREAD ? kernel.ticker : kernel.all;

    EXPECT(who == RUSAGE_THREAD || who == RUSAGE_SELF);
    memset(usage, 0, sizeof(*usage));
    usage->ru_nvcsw = count / 2;
    usage->ru_nivcsw = count - count / 2;
    return 0;
}

static void keep_line(const char *line)
{
    (void)snprintf(logged, sizeof(logged), "%s", line);
}

/* A window begins in a slot that another process had before. */
static void begin_window(bool is_used)
{
    perf.is_used = is_used;
    perf.is_given_up = false;
    kernel.ticker = 1000;
    kernel.all = 5000;
    for (unsigned i = 0; i < CPROF_COUNTER_COUNT; i++) {
        atomic_store(&counters[i], 7 * S);
    }
    logged[0] = '\0';
    cprof_log_setup(keep_line, CPROF_LOG_DEBUG);
    cprof_switches_begin(counters, PERIOD_NS);
}

/* What the counter has grown by. */
static uint64_t published_ns(void)
{
    cprof_switches_publish(counters);
    return atomic_load(&counters[CPROF_COUNTER_SWITCH_CPU_NS]) - 7 * S;
}

static void each_switch_of_the_others_costs_what_was_measured(void)
{
    begin_window(true);
    EXPECT(published_ns() == 0);
    kernel.all += 301;
    EXPECT(published_ns() == 301 * COST_NS);
    kernel.all += 1;
    EXPECT(published_ns() == 302 * COST_NS);
}

static void the_tickers_own_switches_cost_nothing(void)
{
    begin_window(true);
    kernel.ticker += 40;
    kernel.all += 40;
    EXPECT(published_ns() == 0);
    kernel.ticker += 40;
    kernel.all += 50;
    EXPECT(published_ns() == 10 * COST_NS);
}

static void a_count_that_falls_is_no_cost(void)
{
    begin_window(true);
    kernel.all -= 10;
    EXPECT(published_ns() == 0);
}

static void what_a_switch_costs_is_measured_once_for_windows_of_one_period(void)
{
    begin_window(true);
    begin_window(true);
    EXPECT(perf.measurements == 1 && perf.period_ns == PERIOD_NS);
    cprof_switches_begin(counters, 2 * PERIOD_NS);
    EXPECT(perf.measurements == 2 && perf.period_ns == 2 * PERIOD_NS);
}

static void a_measurement_that_failed_is_made_again(void)
{
    begin_window(true);
    perf.cost_ns = 0;
    cprof_switches_begin(counters, 3 * PERIOD_NS);
    kernel.all += 3;
    EXPECT(published_ns() == 0);
    perf.cost_ns = COST_NS;
    cprof_switches_begin(counters, 3 * PERIOD_NS);
    kernel.all += 3;
    EXPECT(published_ns() == 3 * COST_NS);
}

static void windows_of_a_process_add_up(void)
{
    begin_window(true);
    kernel.all += 10;
    EXPECT(published_ns() == 10 * COST_NS);
    kernel.all += 1000; /* between windows */
    cprof_switches_begin(counters, PERIOD_NS);
    EXPECT(published_ns() == 10 * COST_NS);
    kernel.all += 5;
    EXPECT(published_ns() == 15 * COST_NS);
}

static void without_perf_events_switches_cost_nothing(void)
{
    begin_window(false);
    kernel.all += 1000;
    EXPECT(published_ns() == 0);
    EXPECT(atomic_load(&counters[CPROF_COUNTER_PERF_GIVEN_UP]) == 7 * S);
}

static void end_window_of(uint64_t wall_ns, uint64_t switches_ns, uint32_t ceiling_hundredths)
{
    const struct cprof_ledger ledger = {
        .cost_ns = {[CPROF_COST_SAMPLES] = 30 * MS, [CPROF_COST_SWITCHES] = switches_ns},
        .worker_ns = wall_ns,
        .wall_ns = wall_ns,
    };

    cprof_switches_end(&ledger, ceiling_hundredths);
}

/* 10 s of a busy worker. */
static void end_window(uint64_t switches_ns, uint32_t ceiling_hundredths)
{
    end_window_of(10 * S, switches_ns, ceiling_hundredths);
}

static void perf_events_are_given_up_where_switches_are_dear_twice_and_that_is_logged(void)
{
    for (int i = 0; i < 2; i++) {
        begin_window(true);
        end_window(300 * MS, 100);
        EXPECT(!perf.is_given_up && logged[0] == '\0');
    }
    for (int i = 0; i < 2; i++) {
        begin_window(true);
        end_window(310 * MS, 0);
        EXPECT(!perf.is_given_up && logged[0] == '\0');
    }
    begin_window(true);
    end_window(320 * MS, 100);
    EXPECT(!perf.is_given_up && logged[0] == '\0');
    begin_window(true);
    end_window(310 * MS, 100);
    EXPECT(perf.is_given_up);
    EXPECT(strstr(logged, "perf events took 0.31 s of this process's 10.00 s of CPU time"));
    begin_window(true);
    end_window(0, 100);
}

static void one_dear_window_among_others_is_not_enough(void)
{
    for (int i = 0; i < 3; i++) {
        begin_window(true);
        end_window(S, 100);
        EXPECT(!perf.is_given_up);
        begin_window(true);
        end_window(300 * MS, 100);
        EXPECT(!perf.is_given_up);
    }
}

static void windows_too_short_to_be_judged_do_not_come_between(void)
{
    begin_window(true);
    end_window(S, 100);
    begin_window(true);
    end_window_of(S / 5, 0, 100);
    EXPECT(!perf.is_given_up);
    begin_window(true);
    end_window_of(S / 5, S / 5, 100);
    EXPECT(!perf.is_given_up);
    begin_window(true);
    end_window(S, 100);
    EXPECT(perf.is_given_up);
    begin_window(true);
    end_window(0, 100);
}

static void a_dear_window_has_the_cost_measured_anew(void)
{
    uint32_t measurements;

    begin_window(true);
    measurements = perf.measurements;
    end_window(300 * MS, 100);
    begin_window(true);
    EXPECT(perf.measurements == measurements);
    end_window(S, 100);
    begin_window(true);
    EXPECT(perf.measurements == measurements + 1);
    end_window(0, 100);
}

static void the_next_window_counts_that_it_has_none(void)
{
    begin_window(true);
    end_window(S, 100);
    begin_window(true);
    end_window(S, 100);
    EXPECT(perf.is_given_up);
    cprof_switches_begin(counters, PERIOD_NS);
    EXPECT(atomic_load(&counters[CPROF_COUNTER_PERF_GIVEN_UP]) == 7 * S + 1);
    kernel.all += 1000;
    EXPECT(published_ns() == 0);
    logged[0] = '\0';
    end_window(S, 100); /* what is in the ledger is not of perf events */
    EXPECT(logged[0] == '\0');
}

int main(void)
{
    RUN(each_switch_of_the_others_costs_what_was_measured);
    RUN(the_tickers_own_switches_cost_nothing);
    RUN(a_count_that_falls_is_no_cost);
    RUN(what_a_switch_costs_is_measured_once_for_windows_of_one_period);
    RUN(a_measurement_that_failed_is_made_again);
    RUN(windows_of_a_process_add_up);
    RUN(without_perf_events_switches_cost_nothing);
    RUN(perf_events_are_given_up_where_switches_are_dear_twice_and_that_is_logged);
    RUN(one_dear_window_among_others_is_not_enough);
    RUN(windows_too_short_to_be_judged_do_not_come_between);
    RUN(a_dear_window_has_the_cost_measured_anew);
    RUN(the_next_window_counts_that_it_has_none);
    return 0;
}
