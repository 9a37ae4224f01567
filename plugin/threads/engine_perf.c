/* engine_perf.c - see engine_perf.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine_perf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../shared/base/kernel_clock.h"
#include "../../shared/base/units.h"
#include "../ground/aside.h"
#include "descriptors.h"
#include "engine_timer.h"
#include "perf_grid.h"

/* Of a measurement. The event is still far from the end of a near step when a round is over. */
#define PAIRS   2u
#define ROUNDS  7u
#define FAR_NS  NS_PER_S
#define NEAR_NS UINT64_C(50000)

static int open_event(pid_t tid, uint64_t period_ns)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof(attributes),
        .config = PERF_COUNT_SW_TASK_CLOCK,
        .sample_period = period_ns,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };

    return (int)syscall(SYS_perf_event_open, &attributes, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* What the master found out, for all processes that it forks. */
static struct {
    bool allowed;  /* not before it was asked */
    bool filtered; /* there was a filter when it was asked */
    bool given_up; /* by this process */
} permission;

static int try_event(void)
{
    int descriptor = open_event(0, FAR_NS);

    if (descriptor < 0) {
        return errno;
    }
    (void)close(descriptor);
    return 0;
}

const char *cprof_engine_perf_ask(void)
{
    int answer = cprof_ask_aside(try_event);

    permission.filtered = cprof_has_seccomp_filter();
    permission.allowed = answer == 0;
    switch (answer) {
    case 0:
        return NULL;
    case CPROF_ASIDE_DEADLY:
        return "a seccomp filter ends each process that makes this call";
    case CPROF_ASIDE_UNKNOWN:
        return "whether a seccomp filter allows it cannot be found out";
    default:
        return strerror(answer);
    }
}

/* A filter that the app has put on since may be a deadly one. */
static bool is_allowed(void)
{
    return permission.allowed && !permission.given_up &&
           (permission.filtered || !cprof_has_seccomp_filter());
}

bool cprof_engine_perf_is_used(void)
{
    return is_allowed();
}

void cprof_engine_perf_give_up(void)
{
    permission.given_up = true;
}

bool cprof_engine_perf_is_given_up(void)
{
    return permission.given_up;
}

/* Signals of the event go to its thread and carry the descriptor (F_SETSIG, fcntl(2)). */
static bool direct_signals(int descriptor, pid_t tid)
{
    struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = tid};

    return fcntl(descriptor, F_SETSIG, CPROF_SIGNAL) == 0 &&
           fcntl(descriptor, F_SETOWN_EX, &owner) == 0 && fcntl(descriptor, F_SETFL, O_ASYNC) == 0;
}

/* The event's first period runs from its enabling. */
bool cprof_engine_perf_arm(struct cprof_thread *thread, uint64_t period_ns)
{
    uint64_t seed = cprof_thread_seed(thread), now_ns;
    int descriptor;

    if (!is_allowed()) {
        errno = EPERM;
        return false;
    }
    if (!cprof_engine_timer_clock(thread->tid, &now_ns)) {
        errno = ESRCH;
        return false;
    }
    descriptor =
        open_event(thread->tid, cprof_perf_grid_begin(&thread->grid, period_ns, now_ns, seed));
    if (descriptor < 0) {
        return false;
    }
    if (!cprof_descriptors_may_keep(descriptor)) {
        (void)close(descriptor);
        errno = EMFILE;
        return false;
    }
    if (ioctl(descriptor, PERF_EVENT_IOC_ID, &thread->perf_id) != 0 ||
        !direct_signals(descriptor, thread->tid) ||
        !cprof_thread_note_descriptor(descriptor, thread) ||
        ioctl(descriptor, PERF_EVENT_IOC_ENABLE, 0) != 0) {
        (void)cprof_thread_note_descriptor(descriptor, NULL);
        (void)close(descriptor);
        return false;
    }
    thread->perf_descriptor = descriptor;
    return true;
}

/* Where the ticker shares the app's descriptors, the app may have closed and reused it. */
static bool is_event(int descriptor, uint64_t perf_id)
{
    uint64_t id = 0;

    return ioctl(descriptor, PERF_EVENT_IOC_ID, &id) == 0 && id == perf_id;
}

/* An event of its own thread is switched at once by these calls, as it is with its thread. */
static uint64_t time_of_switches(int descriptor)
{
    uint64_t began_ns = cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID);

    for (unsigned i = 0; i < PAIRS; i++) {
        (void)ioctl(descriptor, PERF_EVENT_IOC_ENABLE, 0);
        (void)ioctl(descriptor, PERF_EVENT_IOC_DISABLE, 0);
    }
    return cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began_ns;
}

/* As many calls that switch nothing. */
static uint64_t time_of_calls(int descriptor)
{
    uint64_t began_ns = cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID), id;

    for (unsigned i = 0; i < 2 * PAIRS; i++) {
        (void)ioctl(descriptor, PERF_EVENT_IOC_ID, &id);
    }
    return cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began_ns;
}

static int compare_times(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

/* Of an event whose step ends after so long. 0: it cannot be told. */
static uint64_t cost_of_switch(int descriptor, uint64_t perf_id, uint64_t step_ns)
{
    uint64_t switches_ns[ROUNDS], calls_ns[ROUNDS], middle = ROUNDS / 2;

    for (unsigned i = 0; i < ROUNDS; i++) {
        if (!is_event(descriptor, perf_id) ||
            ioctl(descriptor, PERF_EVENT_IOC_PERIOD, &step_ns) != 0) {
            return 0;
        }
        switches_ns[i] = time_of_switches(descriptor);
        calls_ns[i] = time_of_calls(descriptor);
    }
    qsort(switches_ns, ROUNDS, sizeof(*switches_ns), compare_times);
    qsort(calls_ns, ROUNDS, sizeof(*calls_ns), compare_times);
    return switches_ns[middle] > calls_ns[middle] ? (switches_ns[middle] - calls_ns[middle]) / PAIRS
                                                  : 0;
}

/* The event's timer is dearest where it is the next one to expire on its processor: that is set
 * anew then, and once more when the timer is cancelled, which a virtual machine has to ask its host
 * for. Else the kernel's tick is the next. */
static uint64_t mean_cost(int descriptor, uint64_t perf_id, uint64_t period_ns)
{
    uint64_t far_ns = cost_of_switch(descriptor, perf_id, FAR_NS);
    uint64_t near_ns = cost_of_switch(descriptor, perf_id, NEAR_NS);

    return cprof_perf_grid_switch_ns(period_ns, cprof_engine_timer_tick_ns(), far_ns, near_ns);
}

uint64_t cprof_engine_perf_measure_switch(uint64_t period_ns)
{
    int descriptor = is_allowed() ? open_event(0, FAR_NS) : -1;
    uint64_t perf_id, cost_ns;

    if (descriptor < 0) {
        return 0;
    }
    if (ioctl(descriptor, PERF_EVENT_IOC_ID, &perf_id) != 0) {
        (void)close(descriptor);
        return 0;
    }
    cost_ns = mean_cost(descriptor, perf_id, period_ns);
    if (is_event(descriptor, perf_id)) {
        (void)close(descriptor);
    }
    return cost_ns;
}

/* Takes effect at once, from now on (tests/assumptions/perf_period.sh). */
static void set_step(const struct cprof_thread *thread, uint64_t step_ns)
{
    if (is_event(thread->perf_descriptor, thread->perf_id)) {
        (void)ioctl(thread->perf_descriptor, PERF_EVENT_IOC_PERIOD, &step_ns);
    }
}

void cprof_engine_perf_follow(struct cprof_thread *thread, uint64_t period_ns, uint64_t used_ns)
{
    uint64_t step_ns;

    if (thread->perf_descriptor < 0) {
        return;
    }
    step_ns = cprof_perf_grid_follow(&thread->grid, period_ns, used_ns);
    if (step_ns) {
        set_step(thread, step_ns);
    }
}

void cprof_engine_perf_set_period(struct cprof_thread *thread, uint64_t period_ns)
{
    if (thread->perf_descriptor >= 0) {
        set_step(thread, cprof_perf_grid_change(&thread->grid, period_ns));
    }
}

void cprof_engine_perf_disarm(struct cprof_thread *thread)
{
    int descriptor = thread->perf_descriptor;

    if (descriptor < 0) {
        return;
    }
    thread->perf_descriptor = -1;
    (void)cprof_thread_note_descriptor(descriptor, NULL);
    if (is_event(descriptor, thread->perf_id)) {
        (void)ioctl(descriptor, PERF_EVENT_IOC_DISABLE, 0);
        (void)close(descriptor);
    }
}
