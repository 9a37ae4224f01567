/* ledger.c - see ledger.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ledger.h"

#include <stddef.h>

#include "layout.h"

#define PER_CENT   100.0
#define IDLE_PART  10 /* a worker below this part of a processor is idle */
#define LIGHT_PART 4  /* and one below this is judged as if it had used that much */

#define NOTICED_PART 1000 /* of a processor: less is no reason for anything */
#define HUNDREDTHS   100.0

#define HUNDREDTHS_IN_ALL UINT64_C(10000)

static const struct {
    enum cprof_counter counter;
    enum cprof_cost cost;
} parts[] = {
    {CPROF_COUNTER_HANDLER_CPU_NS, CPROF_COST_SAMPLES},
    {CPROF_COUNTER_DELIVERY_CPU_NS, CPROF_COST_SAMPLES},
    {CPROF_COUNTER_TICKER_CPU_NS, CPROF_COST_TICKER},
    {CPROF_COUNTER_SWITCH_CPU_NS, CPROF_COST_SWITCHES},
};

static uint64_t bounded_sum(uint64_t left, uint64_t right)
{
    return left > UINT64_MAX - right ? UINT64_MAX : left + right;
}

void cprof_ledger_read(struct cprof_ledger *ledger, const uint64_t *counters)
{
    *ledger = (struct cprof_ledger){
        .worker_ns = counters[CPROF_COUNTER_CPU_CLOCK_NS],
        .wall_ns = counters[CPROF_COUNTER_SAMPLING_NS],
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        uint64_t *cost_ns = &ledger->cost_ns[parts[i].cost];

        *cost_ns = bounded_sum(*cost_ns, counters[parts[i].counter]);
    }
}

uint64_t cprof_ledger_sum_ns(const struct cprof_ledger *ledger)
{
    uint64_t sum_ns = 0;

    for (unsigned i = 0; i < CPROF_COST_COUNT; i++) {
        sum_ns = bounded_sum(sum_ns, ledger->cost_ns[i]);
    }
    return sum_ns;
}

uint64_t cprof_ledger_base_ns(const struct cprof_ledger *ledger)
{
    uint64_t light_ns = ledger->wall_ns / LIGHT_PART;

    return ledger->worker_ns > light_ns ? ledger->worker_ns : light_ns;
}

uint64_t cprof_ledger_firm_ns(const struct cprof_ledger *ledger, uint32_t ceiling_hundredths)
{
    uint64_t own_ns =
        cprof_ledger_base_ns(ledger) / (HUNDREDTHS_IN_ALL * CPROF_TICKER_PART) * ceiling_hundredths;
    struct cprof_ledger firm = *ledger;

    if (ceiling_hundredths > 0 && firm.cost_ns[CPROF_COST_TICKER] > own_ns) {
        firm.cost_ns[CPROF_COST_TICKER] = own_ns;
    }
    return cprof_ledger_sum_ns(&firm);
}

double cprof_ledger_percent(const struct cprof_ledger *ledger, uint64_t cost_ns)
{
    if (ledger->wall_ns < CPROF_LEDGER_WALL_NS_MIN ||
        ledger->worker_ns < ledger->wall_ns / IDLE_PART) {
        return CPROF_OVERHEAD_UNKNOWN;
    }
    return PER_CENT * (double)cost_ns / (double)cprof_ledger_base_ns(ledger);
}

bool cprof_ledger_switches_are_too_dear(const struct cprof_ledger *ledger,
                                        uint32_t ceiling_hundredths)
{
    uint64_t switches_ns = ledger->cost_ns[CPROF_COST_SWITCHES];
    double percent = (double)ceiling_hundredths / HUNDREDTHS;

    if (ceiling_hundredths == 0 || ledger->wall_ns < CPROF_LEDGER_WALL_NS_MIN ||
        switches_ns < ledger->wall_ns / NOTICED_PART) {
        return false;
    }
    percent = percent > CPROF_SWITCHES_PERCENT ? percent : CPROF_SWITCHES_PERCENT;
    return PER_CENT * (double)switches_ns > percent * (double)ledger->worker_ns;
}
