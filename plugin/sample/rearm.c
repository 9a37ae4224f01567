/* rearm.c - see rearm.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "rearm.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../share/layout.h"

#define NS_PER_SECOND UINT64_C(1000000000)

/* xorshift64: its period is long and its state is one word of the thread's own. */
static uint64_t next_random(struct cprof_timing *timing)
{
    timing->random ^= timing->random << 13;
    timing->random ^= timing->random >> 7;
    timing->random ^= timing->random << 17;
    return timing->random;
}

static bool has_perf_event(const struct cprof_thread *thread)
{
    return atomic_load_explicit(&thread->perf_descriptor, memory_order_relaxed) >= 0;
}

static uint64_t own_period_ns(const struct cprof_thread *thread, uint64_t period_ns)
{
    return has_perf_event(thread) ? period_ns * CPROF_TIMER_SLOWDOWN : period_ns;
}

static bool set_timer(struct cprof_thread *thread, uint64_t next_ns, uint64_t weight_ns)
{
    struct itimerspec due = {
        .it_value = {.tv_sec = (time_t)(next_ns / NS_PER_SECOND),
                     .tv_nsec = (long)(next_ns % NS_PER_SECOND)},
    };

    atomic_store_explicit(&thread->timing.interval_ns, weight_ns, memory_order_relaxed);
    atomic_store_explicit(&thread->timing.next_ns, next_ns, memory_order_relaxed);
    return syscall(SYS_timer_settime, thread->timer, TIMER_ABSTIME, &due, NULL) == 0;
}

bool cprof_rearm(struct cprof_thread *thread, uint64_t from_ns, uint64_t period_ns)
{
    uint64_t own_ns = own_period_ns(thread, period_ns);
    uint64_t interval_ns = own_ns / 2 + next_random(&thread->timing) % own_ns;

    return set_timer(thread, from_ns + interval_ns, interval_ns);
}

bool cprof_rearm_first(struct cprof_thread *thread, uint64_t from_ns, uint64_t period_ns)
{
    uint64_t own_ns = own_period_ns(thread, period_ns);

    return set_timer(thread, from_ns + 1 + next_random(&thread->timing) % own_ns, own_ns);
}

uint64_t cprof_rearm_after_tick(struct cprof_thread *thread, uint64_t period_ns)
{
    uint64_t weight_ns = atomic_load_explicit(&thread->timing.interval_ns, memory_order_relaxed);
    uint64_t due_ns = atomic_load_explicit(&thread->timing.next_ns, memory_order_relaxed);

    (void)cprof_rearm(thread, due_ns, period_ns);
    return weight_ns;
}
