/* c_threads.c - threads that Python did not make and that call it now and then, as callbacks of C
 * libraries do. tests/apps/c_threads.py loads it by ctypes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>

#define THREADS_MAX 16

/* A callback that ctypes made: it enters Python by PyGILState_Ensure and leaves it again. */
typedef void (*c_threads_callback)(void);

struct work {
    c_threads_callback callback;
    long calls;
    long loops; /* of C before each call */
};

void c_threads_burn(long loops);
int c_threads_run(int count, c_threads_callback const callbacks[2], long calls, long loops);

void c_threads_burn(long loops)
{
    for (volatile long left = loops; left > 0; left = left - 1) {
    }
}

static void *run_thread(void *data)
{
    const struct work *work = data;

    for (long i = 0; i < work->calls; i++) {
        c_threads_burn(work->loops);
        work->callback();
    }
    return NULL;
}

/* Starts `count` threads, every other one with the second callback, and waits for their ends.
 * Returns how many there were. */
int c_threads_run(int count, c_threads_callback const callbacks[2], long calls, long loops)
{
    pthread_t threads[THREADS_MAX];
    struct work work[2];
    int started = 0;

    for (int i = 0; i < 2; i++) {
        work[i] = (struct work){.callback = callbacks[i], .calls = calls, .loops = loops};
    }
    while (started < count && started < THREADS_MAX &&
           pthread_create(&threads[started], NULL, run_thread, &work[started % 2]) == 0) {
        started++;
    }
    for (int i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    return started;
}
