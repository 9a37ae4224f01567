/* test_ledger.c - see shared/segment/ledger.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../shared/segment/ledger.h"

#include "../../shared/segment/layout.h"
#include "expect.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

static uint64_t counters[CPROF_COUNTER_COUNT];
static struct cprof_ledger ledger;

/* What was paid is added with pay(). */
static void begin_test(uint64_t worker_ns, uint64_t wall_ns)
{
    for (unsigned i = 0; i < CPROF_COUNTER_COUNT; i++) {
        counters[i] = 0;
    }
    counters[CPROF_COUNTER_CPU_CLOCK_NS] = worker_ns;
    counters[CPROF_COUNTER_SAMPLING_NS] = wall_ns;
    cprof_ledger_read(&ledger, counters);
}

static void pay(enum cprof_counter counter, uint64_t cost_ns)
{
    counters[counter] += cost_ns;
    cprof_ledger_read(&ledger, counters);
}

static double percent(void)
{
    return cprof_ledger_percent(&ledger, cprof_ledger_sum_ns(&ledger));
}

static void each_part_of_the_cost_counts(void)
{
    begin_test(10 * S, 10 * S);
    pay(CPROF_COUNTER_HANDLER_CPU_NS, 10 * MS);
    pay(CPROF_COUNTER_DELIVERY_CPU_NS, 20 * MS);
    EXPECT(ledger.cost_ns[CPROF_COST_SAMPLES] == 30 * MS && percent() == 0.3);
    pay(CPROF_COUNTER_TICKER_CPU_NS, 30 * MS);
    pay(CPROF_COUNTER_SWITCH_CPU_NS, 40 * MS);
    EXPECT(ledger.cost_ns[CPROF_COST_TICKER] == 30 * MS);
    EXPECT(ledger.cost_ns[CPROF_COST_SWITCHES] == 40 * MS && percent() == 1.0);
}

static void nothing_else_does(void)
{
    begin_test(10 * S, 10 * S);
    pay(CPROF_COUNTER_OFF_CPU_WEIGHT_NS, S);
    pay(CPROF_COUNTER_PERF_WEIGHT_NS, S);
    EXPECT(percent() == 0);
}

static void the_share_is_of_the_workers_own_time(void)
{
    begin_test(5 * S, 10 * S);
    pay(CPROF_COUNTER_TICKER_CPU_NS, 50 * MS);
    EXPECT(percent() == 1.0);
}

static void a_light_worker_counts_as_if_it_used_a_quarter(void)
{
    begin_test(2 * S, 10 * S);
    pay(CPROF_COUNTER_TICKER_CPU_NS, 25 * MS);
    EXPECT(percent() == 1.0);
    begin_test(S, 10 * S);
    pay(CPROF_COUNTER_TICKER_CPU_NS, 25 * MS);
    EXPECT(percent() == 1.0);
}

/* Half of a ceiling of 1 % is 50 ms. */
static void what_the_ticker_takes_beyond_half_of_the_ceiling_is_not_firm(void)
{
    begin_test(10 * S, 10 * S);
    pay(CPROF_COUNTER_HANDLER_CPU_NS, 10 * MS);
    pay(CPROF_COUNTER_TICKER_CPU_NS, 50 * MS);
    EXPECT(cprof_ledger_firm_ns(&ledger, 100) == 60 * MS);
    pay(CPROF_COUNTER_TICKER_CPU_NS, 30 * MS);
    EXPECT(cprof_ledger_firm_ns(&ledger, 100) == 60 * MS);
    EXPECT(cprof_ledger_firm_ns(&ledger, 200) == 90 * MS);
    EXPECT(cprof_ledger_firm_ns(&ledger, 0) == 90 * MS);
    pay(CPROF_COUNTER_SWITCH_CPU_NS, 40 * MS);
    EXPECT(cprof_ledger_firm_ns(&ledger, 100) == 100 * MS);
}

static void of_a_light_worker_it_is_half_of_the_ceiling_of_a_quarter(void)
{
    begin_test(S, 10 * S);
    pay(CPROF_COUNTER_TICKER_CPU_NS, 20 * MS);
    EXPECT(cprof_ledger_firm_ns(&ledger, 100) == 12500 * MS / 1000);
}

static void an_idle_worker_says_nothing(void)
{
    begin_test(S - 1, 10 * S);
    EXPECT(percent() == CPROF_OVERHEAD_UNKNOWN);
    begin_test(0, 0);
    EXPECT(percent() == CPROF_OVERHEAD_UNKNOWN);
}

static void nor_does_one_that_was_hardly_sampled(void)
{
    begin_test(499 * MS, 499 * MS);
    EXPECT(percent() == CPROF_OVERHEAD_UNKNOWN);
    begin_test(500 * MS, 500 * MS);
    pay(CPROF_COUNTER_TICKER_CPU_NS, 5 * MS);
    EXPECT(percent() == 1.0);
}

static void nonsense_in_shared_memory_is_only_a_large_share(void)
{
    begin_test(S, S);
    pay(CPROF_COUNTER_TICKER_CPU_NS, UINT64_MAX);
    pay(CPROF_COUNTER_HANDLER_CPU_NS, UINT64_MAX);
    EXPECT(percent() > 100 && cprof_ledger_sum_ns(&ledger) == UINT64_MAX);
    begin_test(UINT64_MAX, UINT64_MAX);
    EXPECT(percent() == 0);
}

static void switches_are_too_dear_above_three_per_cent(void)
{
    begin_test(10 * S, 10 * S);
    pay(CPROF_COUNTER_HANDLER_CPU_NS, S);
    pay(CPROF_COUNTER_SWITCH_CPU_NS, 300 * MS);
    EXPECT(!cprof_ledger_switches_are_too_dear(&ledger, 100));
    pay(CPROF_COUNTER_SWITCH_CPU_NS, MS);
    EXPECT(cprof_ledger_switches_are_too_dear(&ledger, 100));
    EXPECT(cprof_ledger_switches_are_too_dear(&ledger, 1));
}

static void a_higher_ceiling_allows_more_and_none_allows_all(void)
{
    begin_test(10 * S, 10 * S);
    pay(CPROF_COUNTER_SWITCH_CPU_NS, 500 * MS);
    EXPECT(!cprof_ledger_switches_are_too_dear(&ledger, 500));
    EXPECT(!cprof_ledger_switches_are_too_dear(&ledger, 0));
    pay(CPROF_COUNTER_SWITCH_CPU_NS, MS);
    EXPECT(cprof_ledger_switches_are_too_dear(&ledger, 500));
    EXPECT(!cprof_ledger_switches_are_too_dear(&ledger, 0));
}

static void a_light_worker_that_pays_much_of_its_time_gives_its_events_up(void)
{
    begin_test(400 * MS, 10 * S);
    pay(CPROF_COUNTER_SWITCH_CPU_NS, 13 * MS);
    EXPECT(cprof_ledger_switches_are_too_dear(&ledger, 100));
}

static void what_nobody_notices_is_not_too_dear(void)
{
    begin_test(100 * MS, 10 * S);
    pay(CPROF_COUNTER_SWITCH_CPU_NS, 10 * MS - 1);
    EXPECT(!cprof_ledger_switches_are_too_dear(&ledger, 100));
    begin_test(100 * MS, 499 * MS);
    pay(CPROF_COUNTER_SWITCH_CPU_NS, 90 * MS);
    EXPECT(!cprof_ledger_switches_are_too_dear(&ledger, 100));
}

int main(void)
{
    RUN(each_part_of_the_cost_counts);
    RUN(nothing_else_does);
    RUN(the_share_is_of_the_workers_own_time);
    RUN(a_light_worker_counts_as_if_it_used_a_quarter);
    RUN(what_the_ticker_takes_beyond_half_of_the_ceiling_is_not_firm);
    RUN(of_a_light_worker_it_is_half_of_the_ceiling_of_a_quarter);
    RUN(an_idle_worker_says_nothing);
    RUN(nor_does_one_that_was_hardly_sampled);
    RUN(nonsense_in_shared_memory_is_only_a_large_share);
    RUN(switches_are_too_dear_above_three_per_cent);
    RUN(a_higher_ceiling_allows_more_and_none_allows_all);
    RUN(a_light_worker_that_pays_much_of_its_time_gives_its_events_up);
    RUN(what_nobody_notices_is_not_too_dear);
    return 0;
}
