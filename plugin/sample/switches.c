/* switches.c - see switches.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "switches.h"

#include <stdatomic.h>
#include <sys/resource.h>

#include "../../shared/base/log.h"
#include "../../shared/segment/layout.h"
#include "../threads/engine_perf.h"

static struct {
    uint64_t cost_ns;   /* of one switch, 0: not known */
    uint64_t period_ns; /* for which it was measured */
    bool were_dear;     /* in the last window that could be judged */
    bool are_paid;      /* in this window: there are perf events */
    /* When sampling began: the process's switches, and the counter. A process before may have had
     * the slot. */
    uint64_t begun;
    uint64_t base_ns;
} switches;

/* Of all threads but the ticker. Its own are read first: one that comes between the two is taken
 * for one of the others, and none is taken off that is not in the sum. */
static uint64_t count_of_others(void)
{
    struct rusage own = {0}, all = {0};

    (void)getrusage(RUSAGE_THREAD, &own);
    (void)getrusage(RUSAGE_SELF, &all);
    return (uint64_t)(all.ru_nvcsw + all.ru_nivcsw - own.ru_nvcsw - own.ru_nivcsw);
}

void cprof_switches_begin(_Atomic uint64_t *counters, uint64_t period_ns)
{
    switches.are_paid = cprof_engine_perf_is_used();
    if (!switches.are_paid) {
        atomic_fetch_add(&counters[CPROF_COUNTER_PERF_GIVEN_UP],
                         cprof_engine_perf_is_given_up() ? 1 : 0);
        return;
    }
    if (switches.cost_ns == 0 || switches.period_ns != period_ns) {
        switches.cost_ns = cprof_engine_perf_measure_switch(period_ns);
        switches.period_ns = period_ns;
    }
    switches.base_ns = atomic_load(&counters[CPROF_COUNTER_SWITCH_CPU_NS]);
    switches.begun = count_of_others();
}

void cprof_switches_publish(_Atomic uint64_t *counters)
{
    if (switches.are_paid) {
        uint64_t now = count_of_others(), count = now > switches.begun ? now - switches.begun : 0;

        atomic_store(&counters[CPROF_COUNTER_SWITCH_CPU_NS],
                     switches.base_ns + count * switches.cost_ns);
    }
}

/* The next window measures anew what a switch costs if this one was dear. */
static bool are_dear_again(bool are_dear)
{
    bool were_dear = switches.were_dear;

    switches.were_dear = are_dear;
    if (are_dear) {
        switches.cost_ns = 0;
    }
    return were_dear && are_dear;
}

void cprof_switches_end(const struct cprof_ledger *ledger, uint32_t ceiling_hundredths)
{
    if (!switches.are_paid || ledger->wall_ns < CPROF_LEDGER_WALL_NS_MIN) {
        return;
    }
    if (are_dear_again(cprof_ledger_switches_are_too_dear(ledger, ceiling_hundredths))) {
        cprof_engine_perf_give_up();
        cprof_log(
            CPROF_LOG_INFO,
            "perf events took %.2f s of this process's %.2f s of CPU time, because its threads "
            "start and stop so often: CPU timers sample it from the next window on",
            (double)ledger->cost_ns[CPROF_COST_SWITCHES] / 1e9, (double)ledger->worker_ns / 1e9);
    }
}
