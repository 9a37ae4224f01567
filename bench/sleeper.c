/* sleeper.c - the yardstick of bench/sleepers.py: a thread that does nothing but sleep, a hundred
 * times a second. What it costs, no thread that wakes up as often can go below.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sleeper.h"

#include <pthread.h>
#include <time.h>

#define PERIOD_NS 10000000

static clockid_t clock_of_sleeper;

__attribute__((noreturn)) static void *sleep_for_ever(void *unused)
{
    const struct timespec period = {.tv_nsec = PERIOD_NS};

    (void)unused;
    for (;;) {
        (void)nanosleep(&period, NULL);
    }
}

int bench_sleeper_start(void)
{
    pthread_t thread;

    return pthread_create(&thread, NULL, sleep_for_ever, NULL) == 0 &&
           pthread_getcpuclockid(thread, &clock_of_sleeper) == 0;
}

uint64_t bench_sleeper_cpu_ns(void)
{
    struct timespec used = {0};

    (void)clock_gettime(clock_of_sleeper, &used);
    return (uint64_t)used.tv_sec * UINT64_C(1000000000) + (uint64_t)used.tv_nsec;
}
