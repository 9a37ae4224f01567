/* engine_timer.c - see engine_timer.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine_timer.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../../shared/base/kernel_clock.h"
#include "rearm.h"

/* See cprof_engine_timer_spares_system_calls. */
#define SAFE_MAJOR 5u
#define SAFE_MINOR 11u

/* A tick is late by up to one kernel tick (10 ms at HZ=100) and by what its thread's handler
 * takes; more than this is not lateness. */
#define OVERDUE_NS UINT64_C(50000000)

/* The kernel's id of a thread's CPU clock (include/linux/posix-timers_types.h:
 * CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED); equals what pthread_getcpuclockid returns, which
 * cannot be asked for threads that we did not make. */
static clockid_t thread_clock(pid_t tid)
{
    return (clockid_t)(~(unsigned)tid << 3 | 6u);
}

bool cprof_engine_timer_clock(pid_t tid, uint64_t *now_ns)
{
    return cprof_kernel_clock(thread_clock(tid), now_ns);
}

bool cprof_engine_timer_spares_system_calls(struct cprof_error *error)
{
    struct utsname kernel;
    unsigned major = 0, minor = 0;

    if (uname(&kernel) == 0 && sscanf(kernel.release, "%u.%u", &major, &minor) == 2 &&
        (major > SAFE_MAJOR || (major == SAFE_MAJOR && minor >= SAFE_MINOR))) {
        return true;
    }
    return cprof_fail(error,
                      "this kernel (%s) may interrupt system calls when a CPU timer expires; "
                      "Linux %u.%u or later is needed",
                      kernel.release, SAFE_MAJOR, SAFE_MINOR);
}

/* The coarse clocks advance with the tick. */
uint64_t cprof_engine_timer_tick_ns(void)
{
    struct timespec tick;

    return clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0 ? (uint64_t)tick.tv_nsec : 0;
}

/* A timer that is due is noticed at the kernel's next tick that finds the thread running: after
 * half a tick of CPU time where it runs on and on, after a whole one where it only runs for
 * moments, of which few meet a tick. */
static uint64_t mean_lateness_ns(void)
{
    return cprof_engine_timer_tick_ns() * 3 / 4;
}

bool cprof_engine_timer_arm(struct cprof_thread *thread, uint64_t period_ns)
{
    struct sigevent event = {
        .sigev_notify = SIGEV_THREAD_ID,
        .sigev_signo = CPROF_SIGNAL,
        .sigev_value = {.sival_int = cprof_thread_ticket(thread)},
    };
    uint64_t now_ns;

    event._sigev_un._tid = thread->tid; /* glibc 2.36 has no public name for it */
    if (!cprof_engine_timer_clock(thread->tid, &now_ns) ||
        syscall(SYS_timer_create, thread_clock(thread->tid), &event, &thread->timer) != 0) {
        return false;
    }
    thread->timing.random = cprof_thread_seed(thread);
    thread->armed = true;
    thread->lost_next_ns = 0;
    thread->clock_seen_ns = now_ns;
    if (!cprof_rearm_first(thread, now_ns, period_ns, mean_lateness_ns())) {
        cprof_engine_timer_disarm(thread);
        return false;
    }
    return true;
}

void cprof_engine_timer_disarm(struct cprof_thread *thread)
{
    if (thread->armed) {
        (void)syscall(SYS_timer_delete, thread->timer);
        thread->armed = false;
    }
}

uint64_t cprof_engine_timer_advance(struct cprof_thread *thread, uint64_t now_ns)
{
    uint64_t used_ns;

    if (!thread->armed || now_ns < thread->clock_seen_ns) {
        return 0;
    }
    used_ns = now_ns - thread->clock_seen_ns;
    thread->clock_seen_ns = now_ns;
    return used_ns;
}

uint64_t cprof_engine_timer_revive(struct cprof_thread *thread, uint64_t period_ns)
{
    uint64_t next_ns = atomic_load_explicit(&thread->timing.next_ns, memory_order_relaxed);
    uint64_t weight_ns = atomic_load_explicit(&thread->timing.interval_ns, memory_order_relaxed);
    uint64_t now_ns = thread->clock_seen_ns;

    if (now_ns < next_ns + OVERDUE_NS) {
        thread->lost_next_ns = 0;
        return 0;
    }
    if (thread->lost_next_ns != next_ns) {
        thread->lost_next_ns = next_ns;
        return 0;
    }
    thread->lost_next_ns = 0;
    (void)cprof_rearm(thread, now_ns, period_ns);
    return weight_ns + (now_ns - next_ns);
}
