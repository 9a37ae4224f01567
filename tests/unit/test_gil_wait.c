/* test_gil_wait.c - real threads that wait in real condition variables and semaphores, under
 * thread states laid out by hand; see plugin/python/gil_wait.h.
 *
 * sources: tests/unit/python_fixture.c plugin/python/runtime.c plugin/python/gil_wait.c
 * sources: plugin/python/peek.c
 * flags: $(embedded_python)
 *
 * The sleepers are never woken: they end with the test program.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/python/gil_wait.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "expect.h"
#include "python_fixture.h"

#define SECONDS_MAX 20

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
} lock = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER},
  other_lock = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};
static sem_t semaphore;

struct waiter {
    void (*body)(void);
    _Atomic pid_t tid;
    uintptr_t state[64]; /* a thread state, of which one word matters */
};

static void in_lock(void)
{
    EXPECT(pthread_mutex_lock(&lock.mutex) == 0);
    (void)pthread_cond_wait(&lock.condition, &lock.mutex);
}

static void in_other_lock(void)
{
    EXPECT(pthread_mutex_lock(&other_lock.mutex) == 0);
    (void)pthread_cond_wait(&other_lock.condition, &other_lock.mutex);
}

static void in_semaphore(void)
{
    (void)sem_wait(&semaphore);
}

static void *run_waiter(void *data)
{
    struct waiter *waiter = data;

    waiter->state[python.layout.tstate_owner / sizeof(uintptr_t)] = (uintptr_t)pthread_self();
    atomic_store(&waiter->tid, (pid_t)syscall(SYS_gettid));
    waiter->body();
    return NULL;
}

static void start(struct waiter *waiter, void (*body)(void))
{
    pthread_t thread;

    waiter->body = body;
    EXPECT(python.layout.tstate_owner < sizeof(waiter->state));
    EXPECT(pthread_create(&thread, NULL, run_waiter, waiter) == 0);
    while (atomic_load(&waiter->tid) == 0) {
        (void)sched_yield();
    }
}

static bool is_found(const struct waiter *waiter)
{
    return cprof_gil_is_awaited(&python, CPROF_PEEK_SYSTEM, (uintptr_t)waiter->state,
                                atomic_load(&waiter->tid));
}

/* Whether the thread sleeps, by the kernel. */
static bool is_asleep(const struct waiter *waiter)
{
    char path[64], state = '?';
    FILE *file;

    EXPECT(snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)waiter->tid) > 0);
    file = fopen(path, "re");
    EXPECT(file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
    EXPECT(fclose(file) == 0);
    return state == 'S';
}

static void a_wait_for_the_lock_is_told_by_its_condition(void)
{
    static struct waiter waiter;
    time_t end = time(NULL) + SECONDS_MAX;

    start(&waiter, in_lock);
    while (!is_found(&waiter)) {
        EXPECT(time(NULL) < end);
        (void)sched_yield();
    }
}

static void a_wait_for_another_lock_is_not(void)
{
    static struct waiter waiters[2];
    time_t end = time(NULL) + SECONDS_MAX;

    start(&waiters[0], in_other_lock);
    start(&waiters[1], in_semaphore);
    while (!is_asleep(&waiters[0]) || !is_asleep(&waiters[1])) {
        EXPECT(time(NULL) < end && !is_found(&waiters[0]) && !is_found(&waiters[1]));
        (void)sched_yield();
    }
    for (uint32_t i = 0; i < 1000; i++) {
        EXPECT(!is_found(&waiters[0]) && !is_found(&waiters[1]));
    }
}

static void a_state_of_another_thread_or_of_none_tells_nothing(void)
{
    static struct waiter waiter;
    struct waiter strange = {.tid = 1};
    time_t end = time(NULL) + SECONDS_MAX;

    start(&waiter, in_lock);
    while (!is_found(&waiter)) {
        EXPECT(time(NULL) < end);
        (void)sched_yield();
    }
    EXPECT(!cprof_gil_is_awaited(&python, CPROF_PEEK_SYSTEM, (uintptr_t)waiter.state,
                                 atomic_load(&waiter.tid) + 1));
    EXPECT(!cprof_gil_is_awaited(&python, CPROF_PEEK_SYSTEM, 0, atomic_load(&waiter.tid)));
    EXPECT(!cprof_gil_is_awaited(&python, CPROF_PEEK_SYSTEM, 8, atomic_load(&waiter.tid)));
    EXPECT(!is_found(&strange)); /* no descriptor */
    strange.state[python.layout.tstate_owner / sizeof(uintptr_t)] = 8;
    EXPECT(!is_found(&strange));
}

static void where_the_place_of_the_handler_is_not_known_nothing_is_found(void)
{
    static struct waiter waiter;
    uint16_t offset = python.pthread_cleanup_offset;

    start(&waiter, in_lock);
    while (!is_found(&waiter)) {
        (void)sched_yield();
    }
    python.pthread_cleanup_offset = 0;
    EXPECT(!is_found(&waiter));
    python.pthread_cleanup_offset = offset;
}

int main(void)
{
    static PyMethodDef no_functions[] = {{NULL, NULL, 0, NULL}};

    python_fixture_begin(no_functions);
    EXPECT(python.pthread_tid_offset > 0 && python.pthread_cleanup_offset > 0);
    EXPECT(python.gil_high > python.gil_low);
    EXPECT(sem_init(&semaphore, 0, 0) == 0);
    python.gil_low = (uintptr_t)&lock;
    python.gil_high = python.gil_low + sizeof(lock);
    RUN(a_wait_for_the_lock_is_told_by_its_condition);
    RUN(a_wait_for_another_lock_is_not);
    RUN(a_state_of_another_thread_or_of_none_tells_nothing);
    RUN(where_the_place_of_the_handler_is_not_known_nothing_is_found);
    return 0;
}
