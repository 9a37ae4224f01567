/* perf_period.c - what PERF_EVENT_IOC_PERIOD does to a task-clock event of a thread that runs,
 * when another thread asks for it: the time that was left is forgotten, and the next overflow
 * comes a new period after the call, as do those that follow. perf_event_open(2) says only that it
 * takes effect immediately. (plugin/threads/engine_perf.c builds on it.)
 *
 * Ends with 0 and a line if that is so, with 1 if not, with 77 where perf events are refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MS       UINT64_C(1000000)
#define LONG_NS  (1000 * MS)
#define SHORT_NS (20 * MS)
#define TICKS    5

static _Atomic int ticks;
static uint64_t tick_ns[TICKS]; /* by the thread's CPU clock */
static pthread_t worker;
static _Atomic pid_t worker_tid;

static uint64_t read_clock_ns(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

static void on_tick(int signal_number)
{
    int number = atomic_load(&ticks);

    (void)signal_number;
    if (number < TICKS) {
        tick_ns[number] = read_clock_ns(CLOCK_THREAD_CPUTIME_ID);
        atomic_store(&ticks, number + 1);
    }
}

/* Nothing but user mode, where overflows are told. */
static void *spin(void *unused)
{
    atomic_store(&worker_tid, (pid_t)syscall(SYS_gettid));
    while (atomic_load(&ticks) < TICKS) {
    }
    return unused;
}

static int open_event(void)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof(attributes),
        .config = PERF_COUNT_SW_TASK_CLOCK,
        .sample_period = LONG_NS,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = atomic_load(&worker_tid)};
    int event =
        (int)syscall(SYS_perf_event_open, &attributes, owner.pid, -1, -1, PERF_FLAG_FD_CLOEXEC);

    if (event >= 0 &&
        (fcntl(event, F_SETSIG, SIGURG) != 0 || fcntl(event, F_SETOWN_EX, &owner) != 0 ||
         fcntl(event, F_SETFL, O_ASYNC) != 0 || ioctl(event, PERF_EVENT_IOC_ENABLE, 0) != 0)) {
        return -1;
    }
    return event;
}

static void wait_until(clockid_t clock, uint64_t until_ns)
{
    while (read_clock_ns(clock) < until_ns) {
        (void)usleep(1000);
    }
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    uint64_t short_ns = SHORT_NS, called_ns, first_ns, rest_ns;
    clockid_t clock;
    int event;

    (void)sigaction(SIGURG, &action, NULL);
    (void)alarm(60);
    if (pthread_create(&worker, NULL, spin, NULL) != 0 || pthread_getcpuclockid(worker, &clock)) {
        return 1;
    }
    while (atomic_load(&worker_tid) == 0) {
        (void)usleep(1000);
    }
    event = open_event();
    if (event < 0) {
        puts("perf events are refused here");
        return 77;
    }
    wait_until(clock, read_clock_ns(clock) + LONG_NS / 10);
    called_ns = read_clock_ns(clock);
    (void)ioctl(event, PERF_EVENT_IOC_PERIOD, &short_ns);
    (void)pthread_join(worker, NULL);
    first_ns = tick_ns[0] - called_ns;
    rest_ns = tick_ns[TICKS - 1] - tick_ns[0];
    printf(
        "a period of %llu ms, set while 900 of 1000 were left: overflow after %.1f ms, %d more in "
        "%.1f ms\n",
        (unsigned long long)(SHORT_NS / MS), (double)first_ns / MS, TICKS - 1,
        (double)rest_ns / MS);
    /* Late ones are the machine's affair. The two clocks differ by microseconds. */
    return first_ns > SHORT_NS / 2 && first_ns < LONG_NS / 2 && rest_ns >= SHORT_NS * (TICKS - 2) &&
                   rest_ns < LONG_NS / 2
               ? 0
               : 1;
}
