/* tsan_window.c - one gateway and many tickers at once; see shared/segment/window.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "../../shared/segment/window.h"
#include "expect.h"

#define TICKERS  3u
#define ROUNDS   100u
#define EPOCH    1u
#define MS       UINT64_C(1000000)
#define DEADLINE (UINT64_C(60) * 1000 * MS)

static struct cprof_control control = {.epoch = EPOCH, .next_window_id = 1};
static pthread_barrier_t everybody;
static uint64_t deadline_ns;

/* Window `number` of a round; the period says which it is and the end must fit to it. */
static struct cprof_window window_of(uint64_t number)
{
    return (struct cprof_window){
        .kinds = CPROF_KIND_CPU,
        .period_ns = (50 - number) * MS,
        .start_ns = 1000 * MS,
        .end_ns = 10000 * MS - number,
    };
}

/* Reads until `count` windows are open; whatever is seen on the way must have been opened. */
static void await_windows(uint64_t count)
{
    struct cprof_window_demand demand;
    struct cprof_window last = window_of(count - 1);

    do {
        EXPECT(cprof_now_ns() < deadline_ns);
        cprof_window_read(&control, 5000 * MS, EPOCH, &demand);
        EXPECT(demand.kinds == 0 ||
               demand.period_ns == (50 - (10000 * MS - demand.next_end_ns)) * MS);
    } while (count > 0 ? demand.period_ns != last.period_ns : demand.kinds != 0);
}

static void *tick(void *unused)
{
    (void)unused;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        await_windows(CPROF_WINDOWS_MAX);
        (void)pthread_barrier_wait(&everybody);
        await_windows(0);
        (void)pthread_barrier_wait(&everybody);
    }
    return NULL;
}

static void open_and_close(void)
{
    for (int i = 0; i < (int)CPROF_WINDOWS_MAX; i++) {
        struct cprof_window window = window_of((uint64_t)i);

        cprof_window_open(&control, i, &window);
    }
    (void)pthread_barrier_wait(&everybody);
    for (int i = 0; i < (int)CPROF_WINDOWS_MAX; i++) {
        cprof_window_close(&control, i);
    }
    (void)pthread_barrier_wait(&everybody);
}

static void tickers_see_only_whole_windows(void)
{
    pthread_t threads[TICKERS];

    deadline_ns = cprof_now_ns() + DEADLINE;
    EXPECT(pthread_barrier_init(&everybody, NULL, TICKERS + 1) == 0);
    for (uint32_t i = 0; i < TICKERS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, tick, NULL) == 0);
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        open_and_close();
    }
    for (uint32_t i = 0; i < TICKERS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    EXPECT(pthread_barrier_destroy(&everybody) == 0);
}

static _Atomic uint32_t answers;

/* Answers each ring once, as a ticker does: doorbell first, then work, then the wait. */
static void *answer(void *unused)
{
    uint32_t seen = 0;

    (void)unused;
    while (seen < ROUNDS) {
        uint32_t now = cprof_window_doorbell(&control);

        if (now == seen) {
            cprof_window_wait(&control, seen, UINT64_MAX);
            continue;
        }
        seen = now;
        atomic_store(&answers, seen);
    }
    return NULL;
}

static void no_ring_is_lost_between_the_look_and_the_wait(void)
{
    pthread_t thread;

    deadline_ns = cprof_now_ns() + DEADLINE;
    atomic_store(&control.doorbell, 0);
    EXPECT(pthread_create(&thread, NULL, answer, NULL) == 0);
    for (uint32_t ring = 1; ring <= ROUNDS; ring++) {
        cprof_window_ring(&control);
        while (atomic_load(&answers) != ring) {
            EXPECT(cprof_now_ns() < deadline_ns);
        }
    }
    EXPECT(pthread_join(thread, NULL) == 0);
}

int main(void)
{
    RUN(tickers_see_only_whole_windows);
    RUN(no_ring_is_lost_between_the_look_and_the_wait);
    return 0;
}
