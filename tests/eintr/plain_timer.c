/* plain_timer.c - what most profilers of wall time do: a timer by the wall clock that signals its
 * thread, whether that sleeps or not. With it the harness must find what it looks for.
 *
 * Callers   tests/apps/blocking_calls.py, by ctypes, once in each thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id /* glibc before 2.38 lacks the name */
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define SECOND_NS 1000000000

int plain_timer_start(long period_ns);

static void ignore(int number)
{
    (void)number;
}

/* Signals the calling thread each period_ns from now on. 0: done. */
int plain_timer_start(long period_ns)
{
    struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
    struct timespec period = {period_ns / SECOND_NS, period_ns % SECOND_NS};
    struct itimerspec interval = {period, period};
    sigset_t own;
    timer_t timer;

    event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    (void)sigemptyset(&own);
    (void)sigaddset(&own, SIGPROF);
    if (sigaction(SIGPROF, &action, NULL) || pthread_sigmask(SIG_UNBLOCK, &own, NULL) ||
        timer_create(CLOCK_MONOTONIC, &event, &timer)) {
        return -1;
    }
    return timer_settime(timer, 0, &interval, NULL);
}
