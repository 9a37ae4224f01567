/* c_threads.c - C threads that call a function, such as a ctypes callback, over and over.
 *
 * Each call enters Python and leaves it again: the interpreter makes a thread state for it and
 * frees that when the call returns (PyGILState_Ensure, PyGILState_Release). Between the calls
 * the thread burns CPU time outside Python.
 *
 * Callers   tests/apps/torture.py, by ctypes, without the GIL.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdint.h>
#include <time.h>

#define THREADS_MAX 16
#define SPIN_LOOPS  20000u

struct caller {
    pthread_t thread;
    void (*callback)(int number);
    int64_t end_ns;
};

/* Runs `threads` threads (1 to 16) for so long; 0 when all were started. */
int torture_run(void (*callback)(int number), int threads, int milliseconds);

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *call_over_and_over(void *argument)
{
    const struct caller *caller = argument;

    for (int number = 0; now_ns() < caller->end_ns; number++) {
        caller->callback(number);
        for (volatile uint32_t loops = SPIN_LOOPS; loops > 0;) {
            loops = loops - 1;
        }
    }
    return NULL;
}

int torture_run(void (*callback)(int number), int threads, int milliseconds)
{
    struct caller callers[THREADS_MAX];
    int64_t end_ns = now_ns() + (int64_t)milliseconds * 1000000;
    int started = 0;

    while (started < threads && started < THREADS_MAX) {
        struct caller *caller = &callers[started];

        caller->callback = callback;
        caller->end_ns = end_ns;
        if (pthread_create(&caller->thread, NULL, call_over_and_over, caller) != 0) {
            break;
        }
        started++;
    }
    for (int i = 0; i < started; i++) {
        (void)pthread_join(callers[i].thread, NULL);
    }
    return started == threads ? 0 : -1;
}
