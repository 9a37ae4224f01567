/* rearm.c - see rearm.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "rearm.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/layout.h"
#include "interval.h"

static bool has_perf_event(const struct cprof_thread *thread)
{
    return atomic_load_explicit(&thread->perf_descriptor, memory_order_relaxed) >= 0;
}

static uint64_t own_period_ns(const struct cprof_thread *thread, uint64_t period_ns)
{
    return has_perf_event(thread) ? period_ns * CPROF_TIMER_SLOWDOWN : period_ns;
}

static void note_due(struct cprof_timing *timing, uint64_t next_ns, uint64_t interval_ns)
{
    atomic_store_explicit(&timing->interval_ns, interval_ns, memory_order_relaxed);
    atomic_store_explicit(&timing->next_ns, next_ns, memory_order_relaxed);
}

static bool set_timer(struct cprof_thread *thread, int flags, uint64_t due_ns)
{
    struct itimerspec due = {
        .it_value = {.tv_sec = (time_t)(due_ns / NS_PER_S), .tv_nsec = (long)(due_ns % NS_PER_S)},
    };

    return syscall(SYS_timer_settime, thread->timer, flags, &due, NULL) == 0;
}

bool cprof_rearm(struct cprof_thread *thread, uint64_t now_ns, uint64_t period_ns)
{
    uint64_t interval_ns = cprof_interval(&thread->timing.random, own_period_ns(thread, period_ns));

    note_due(&thread->timing, now_ns + interval_ns, interval_ns);
    return set_timer(thread, 0, interval_ns);
}

bool cprof_rearm_first(struct cprof_thread *thread, uint64_t now_ns, uint64_t period_ns,
                       uint64_t late_ns)
{
    struct cprof_first_interval first =
        cprof_interval_first(&thread->timing.random, own_period_ns(thread, period_ns));
    uint64_t rest_ns = first.rest_ns > late_ns ? first.rest_ns - late_ns : 1;

    note_due(&thread->timing, now_ns + rest_ns, first.length_ns);
    return set_timer(thread, 0, rest_ns);
}

uint64_t cprof_rearm_after_tick(struct cprof_thread *thread, uint64_t period_ns)
{
    uint64_t weight_ns = atomic_load_explicit(&thread->timing.interval_ns, memory_order_relaxed);
    uint64_t due_ns = atomic_load_explicit(&thread->timing.next_ns, memory_order_relaxed);
    uint64_t interval_ns = cprof_interval(&thread->timing.random, own_period_ns(thread, period_ns));

    note_due(&thread->timing, due_ns + interval_ns, interval_ns);
    (void)set_timer(thread, TIMER_ABSTIME, due_ns + interval_ns);
    return weight_ns;
}
