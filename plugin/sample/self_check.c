/* self_check.c - see self_check.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "self_check.h"

#include <stdatomic.h>
#include <sys/resource.h>

#include "../../shared/base/kernel_clock.h"
#include "../../shared/base/log.h"
#include "oncpu.h"

/* Less may be over before the first tick of a thread. */
#define WORK_NS_MIN UINT64_C(500000000)

/* Each stands for two looks at a timer that was overdue: one alone may be a signal that another
 * one swallowed. */
#define LOST_MIN 2u

static struct {
    struct cprof_self_check_facts before; /* when the window began */
    bool done;
} check;

enum cprof_self_check cprof_self_check_judge(const struct cprof_self_check_facts *facts)
{
    if (facts->accounted_ns < WORK_NS_MIN) {
        return CPROF_SELF_CHECK_EARLY;
    }
    if (facts->clock_ns < facts->accounted_ns / 2) {
        return CPROF_SELF_CHECK_NO_CLOCK;
    }
    if (!facts->has_signal || facts->explained > 0) {
        return CPROF_SELF_CHECK_EARLY;
    }
    if (facts->timer_ticks == 0 && facts->lost >= LOST_MIN) {
        return CPROF_SELF_CHECK_NO_TIMERS;
    }
    return facts->is_misaligned ? CPROF_SELF_CHECK_MISALIGNED : CPROF_SELF_CHECK_WELL;
}

static uint64_t ns_of(const struct timeval *time)
{
    return ((uint64_t)time->tv_sec * UINT64_C(1000000) + (uint64_t)time->tv_usec) * 1000;
}

static struct cprof_self_check_facts look(const _Atomic uint64_t *counters)
{
    struct rusage usage = {0};

    (void)getrusage(RUSAGE_SELF, &usage);
    return (struct cprof_self_check_facts){
        .accounted_ns = ns_of(&usage.ru_utime) + ns_of(&usage.ru_stime),
        .clock_ns = cprof_kernel_clock_ns(CLOCK_PROCESS_CPUTIME_ID),
        .timer_ticks = atomic_load(&counters[CPROF_COUNTER_TIMER_TICKS]),
        .lost = atomic_load(&counters[CPROF_COUNTER_MISSED + CPROF_MISS_LOST]),
        .explained = atomic_load(&counters[CPROF_COUNTER_MISSED + CPROF_MISS_BLOCKED]) +
                     atomic_load(&counters[CPROF_COUNTER_MISSED + CPROF_MISS_STACK]),
    };
}

void cprof_self_check_begin(const _Atomic uint64_t *counters)
{
    if (!check.done) {
        check.before = look(counters);
    }
}

static void tell(enum cprof_self_check found)
{
    switch (found) {
    case CPROF_SELF_CHECK_NO_CLOCK:
        cprof_log(CPROF_LOG_WARNING,
                  "this platform's CPU clock does not move while the process works (an emulator?): "
                  "CPU time is not profiled here");
        break;
    case CPROF_SELF_CHECK_NO_TIMERS:
        cprof_log(CPROF_LOG_WARNING,
                  "no CPU timer has signalled here while the process worked (an emulator?): CPU "
                  "time that no perf event samples is not profiled, and stands as [unsampled]");
        break;
    case CPROF_SELF_CHECK_MISALIGNED:
        cprof_log(CPROF_LOG_WARNING,
                  "this platform starts signal handlers on a misaligned stack (qemu-user before "
                  "8.2 does): profiles are taken, but other handlers of this process may crash");
        break;
    case CPROF_SELF_CHECK_EARLY:
    case CPROF_SELF_CHECK_WELL:
        break;
    }
}

void cprof_self_check_end(const _Atomic uint64_t *counters, bool has_signal)
{
    struct cprof_self_check_facts facts;
    enum cprof_self_check found;

    if (check.done) {
        return;
    }
    facts = look(counters);
    facts.accounted_ns -= check.before.accounted_ns;
    facts.clock_ns -= check.before.clock_ns;
    facts.timer_ticks -= check.before.timer_ticks;
    facts.lost -= check.before.lost;
    facts.explained -= check.before.explained;
    facts.has_signal = has_signal;
    facts.is_misaligned = cprof_oncpu_is_misaligned();
    found = cprof_self_check_judge(&facts);
    check.done = found != CPROF_SELF_CHECK_EARLY;
    tell(found);
}
