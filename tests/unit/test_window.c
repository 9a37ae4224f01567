/* test_window.c - see shared/segment/window.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../shared/segment/window.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../shared/segment/segment.h"
#include "expect.h"

#define S  UINT64_C(1000000000)
#define MS UINT64_C(1000000)

#define NOW_NS   (UINT64_C(500) * S) /* any */
#define EPOCH    1u
#define DEADLINE (UINT64_C(20) * S)

#define REOPENINGS 200000u

static struct cprof_control control;

static void begin(void)
{
    control = (struct cprof_control){.epoch = EPOCH, .next_window_id = 1};
}

/* Opens the window in the first free descriptor; -1: there is none. */
static int open_window(struct cprof_window *window)
{
    int index = 0;

    while (index < (int)CPROF_WINDOWS_MAX && atomic_load(&control.window_mask) & (1u << index)) {
        index++;
    }
    if (index == (int)CPROF_WINDOWS_MAX) {
        return -1;
    }
    cprof_window_open(&control, index, window);
    return index;
}

static struct cprof_window a_window(void)
{
    return (struct cprof_window){
        .kinds = CPROF_KIND_CPU,
        .source = CPROF_SOURCE_SCHEDULE,
        .period_ns = 10 * MS,
        .start_ns = NOW_NS - S,
        .end_ns = NOW_NS + 9 * S,
    };
}

static struct cprof_window_demand demand_of_epoch(uint32_t epoch)
{
    struct cprof_window_demand demand;

    cprof_window_read(&control, NOW_NS, epoch, &demand);
    return demand;
}

static void without_windows_there_is_nothing_to_do(void)
{
    begin();
    EXPECT(demand_of_epoch(EPOCH).kinds == 0);
}

static void an_open_window_is_seen_until_it_is_closed(void)
{
    struct cprof_window window = a_window();
    struct cprof_window_demand demand;
    int index;

    begin();
    index = open_window(&window);
    demand = demand_of_epoch(EPOCH);

    EXPECT(index == 0 && demand.kinds == CPROF_KIND_CPU && demand.epoch == EPOCH);
    EXPECT(demand.period_ns == window.period_ns && demand.next_end_ns == window.end_ns);
    cprof_window_close(&control, index);
    EXPECT(demand_of_epoch(EPOCH).kinds == 0);
}

static void each_window_gets_the_present_epoch_and_an_id_of_its_own(void)
{
    struct cprof_window first = a_window(), second = a_window();

    begin();
    atomic_store(&control.epoch, 7);
    EXPECT(open_window(&first) >= 0 && open_window(&second) >= 0);

    EXPECT(first.epoch == 7 && second.epoch == 7);
    EXPECT(first.id == 1 && second.id == 2);
}

static void opening_rings_the_doorbell(void)
{
    struct cprof_window window = a_window();
    uint32_t before;

    begin();
    before = cprof_window_doorbell(&control);
    EXPECT(open_window(&window) >= 0);
    EXPECT(cprof_window_doorbell(&control) != before);
}

static void there_is_room_for_four_windows(void)
{
    struct cprof_window window = a_window();
    int indexes[CPROF_WINDOWS_MAX];

    begin();
    for (uint32_t i = 0; i < CPROF_WINDOWS_MAX; i++) {
        indexes[i] = open_window(&window);
        EXPECT(indexes[i] >= 0);
    }
    EXPECT(open_window(&window) == -1);

    cprof_window_close(&control, indexes[2]);
    EXPECT(open_window(&window) == indexes[2]);
    EXPECT(open_window(&window) == -1);
}

static void the_demand_is_the_shortest_period_and_the_next_end(void)
{
    struct cprof_window slow = a_window(), quick = a_window(), late = a_window();
    struct cprof_window_demand demand;

    begin();
    quick.period_ns = 2 * MS;
    late.end_ns = NOW_NS + 30 * S;
    late.period_ns = 50 * MS;
    EXPECT(open_window(&slow) >= 0);
    EXPECT(open_window(&quick) >= 0);
    EXPECT(open_window(&late) >= 0);

    demand = demand_of_epoch(EPOCH);
    EXPECT(demand.kinds == CPROF_KIND_CPU);
    EXPECT(demand.period_ns == 2 * MS && demand.next_end_ns == NOW_NS + 9 * S);
}

static bool is_ignored(struct cprof_window window)
{
    begin();
    EXPECT(open_window(&window) >= 0);
    return demand_of_epoch(EPOCH).kinds == 0;
}

static void a_window_that_has_ended_is_ignored(void)
{
    struct cprof_window window = a_window();

    window.end_ns = NOW_NS;
    EXPECT(is_ignored(window));
    window.end_ns = NOW_NS + 1;
    EXPECT(!is_ignored(window));
}

static void a_window_that_ends_before_it_starts_is_ignored(void)
{
    struct cprof_window window = a_window();

    window.start_ns = window.end_ns;
    EXPECT(is_ignored(window));
    window.start_ns = UINT64_MAX;
    EXPECT(is_ignored(window));
}

static void a_window_that_has_not_started_is_ignored(void)
{
    struct cprof_window window = a_window();

    window.start_ns = NOW_NS + 1;
    EXPECT(is_ignored(window));
    window.start_ns = NOW_NS;
    EXPECT(!is_ignored(window));
}

static void a_window_of_absurd_length_is_ignored(void)
{
    struct cprof_window window = a_window();

    window.start_ns = NOW_NS;
    window.end_ns = window.start_ns + CPROF_WINDOW_NS_MAX;
    EXPECT(!is_ignored(window));
    window.end_ns++;
    EXPECT(is_ignored(window));
    window.start_ns = 0;
    window.end_ns = UINT64_MAX;
    EXPECT(is_ignored(window));
}

static void a_window_with_a_period_out_of_range_is_ignored(void)
{
    static const uint64_t bad[] = {0, CPROF_PERIOD_NS_MIN - 1, CPROF_PERIOD_NS_MAX + 1, UINT64_MAX};
    struct cprof_window window = a_window();

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        window.period_ns = bad[i];
        EXPECT(is_ignored(window));
    }
    window.period_ns = CPROF_PERIOD_NS_MIN;
    EXPECT(!is_ignored(window));
    window.period_ns = CPROF_PERIOD_NS_MAX;
    EXPECT(!is_ignored(window));
}

static void a_window_of_another_epoch_is_ignored(void)
{
    struct cprof_window window = a_window();

    begin();
    EXPECT(open_window(&window) >= 0);
    EXPECT(demand_of_epoch(EPOCH + 1).kinds == 0);
    EXPECT(demand_of_epoch(EPOCH - 1).kinds == 0);
    EXPECT(demand_of_epoch(EPOCH).kinds != 0);
}

static void kinds_that_nobody_knows_are_ignored(void)
{
    struct cprof_window window = a_window();

    window.kinds = ~(uint32_t)CPROF_KINDS_ALL;
    EXPECT(is_ignored(window));
}

static void a_bad_window_does_not_hide_a_good_one(void)
{
    struct cprof_window bad = a_window(), good = a_window();

    begin();
    bad.period_ns = 1;
    bad.end_ns = NOW_NS + S;
    EXPECT(open_window(&bad) >= 0 && open_window(&good) >= 0);
    EXPECT(demand_of_epoch(EPOCH).period_ns == good.period_ns);
    EXPECT(demand_of_epoch(EPOCH).next_end_ns == good.end_ns);
}

static void bits_beyond_the_descriptors_are_ignored(void)
{
    begin();
    atomic_store(&control.window_mask, ~((1u << CPROF_WINDOWS_MAX) - 1));
    EXPECT(demand_of_epoch(EPOCH).kinds == 0);
}

static void a_wait_with_an_old_doorbell_does_not_sleep(void)
{
    uint32_t seen;

    begin();
    seen = cprof_window_doorbell(&control);
    cprof_window_ring(&control);
    cprof_window_wait(&control, seen, UINT64_MAX); /* would hang */
}

static void a_wait_ends_at_its_timeout(void)
{
    uint64_t start_ns, took_ns;

    begin();
    start_ns = cprof_now_ns();
    cprof_window_wait(&control, cprof_window_doorbell(&control), start_ns + 30 * MS);
    took_ns = cprof_now_ns() - start_ns;

    EXPECT(took_ns >= 30 * MS && took_ns < DEADLINE);
    cprof_window_wait(&control, cprof_window_doorbell(&control), start_ns); /* would hang */
}

struct waiter {
    const struct cprof_control *control;
    uint32_t seen;
    _Atomic pid_t tid;
};

static void *wait_for_ring(void *data)
{
    struct waiter *waiter = data;

    atomic_store(&waiter->tid, (pid_t)syscall(SYS_gettid));
    cprof_window_wait(waiter->control, waiter->seen, UINT64_MAX);
    return NULL;
}

static bool sleeps_in_futex(pid_t tid)
{
    char path[64], line[64] = "";
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", (int)tid);
    file = fopen(path, "re");
    if (!file) {
        return false;
    }
    (void)fgets(line, sizeof(line), file);
    (void)fclose(file);
    return atoi(line) == SYS_futex && line[0] != 'r';
}

static void await_sleep(struct waiter *waiter)
{
    uint64_t deadline_ns = cprof_now_ns() + DEADLINE;

    while (atomic_load(&waiter->tid) == 0 || !sleeps_in_futex(atomic_load(&waiter->tid))) {
        EXPECT(cprof_now_ns() < deadline_ns);
        sched_yield();
    }
}

static void a_ring_wakes_every_sleeper_on_the_shared_page(void)
{
    enum { SLEEPERS = 3 };
    struct cprof_segment segment;
    struct cprof_slot_mapping mapping;
    struct cprof_error error;
    struct waiter waiters[SLEEPERS];
    pthread_t threads[SLEEPERS];
    struct timespec deadline;
    int fd;

    /* As in life: the sleepers see the page through another mapping, which is read-only. */
    EXPECT(cprof_segment_create(&fd, &(struct cprof_slot_counts){.workers = 1}, CPROF_LOG_BYTES_MIN,
                                &error));
    EXPECT(cprof_segment_open(&segment, fd, &error) && cprof_slot_map(&mapping, fd, 0, &error));
    for (uint32_t i = 0; i < SLEEPERS; i++) {
        waiters[i] = (struct waiter){.control = mapping.control,
                                     .seen = cprof_window_doorbell(mapping.control)};
        EXPECT(pthread_create(&threads[i], NULL, wait_for_ring, &waiters[i]) == 0);
        await_sleep(&waiters[i]);
    }

    cprof_window_ring(cprof_segment_control(&segment));
    (void)clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    for (uint32_t i = 0; i < SLEEPERS; i++) {
        EXPECT(pthread_timedjoin_np(threads[i], NULL, &deadline) == 0);
    }
    cprof_segment_close(&segment);
    close(fd);
}

/* The period and the end of each window that is opened differ by the same number. */
static void *open_and_close(void *data)
{
    (void)data;
    for (uint64_t i = 0; i < REOPENINGS; i++) {
        struct cprof_window window = {
            .kinds = CPROF_KIND_CPU,
            .period_ns = CPROF_PERIOD_NS_MIN + i % 1000,
            .start_ns = 1,
            .end_ns = NOW_NS + S + i % 1000,
        };

        cprof_window_close(&control, open_window(&window));
    }
    return NULL;
}

static void a_window_that_is_refilled_while_it_is_read_is_read_whole(void)
{
    pthread_t thread;

    begin();
    EXPECT(pthread_create(&thread, NULL, open_and_close, NULL) == 0);
    while (pthread_tryjoin_np(thread, NULL) != 0) {
        struct cprof_window_demand demand;

        cprof_window_read(&control, NOW_NS, EPOCH, &demand);
        EXPECT(!demand.kinds ||
               demand.period_ns - CPROF_PERIOD_NS_MIN == demand.next_end_ns - (NOW_NS + S));
    }
}

int main(void)
{
    RUN(a_window_that_is_refilled_while_it_is_read_is_read_whole);
    RUN(without_windows_there_is_nothing_to_do);
    RUN(an_open_window_is_seen_until_it_is_closed);
    RUN(each_window_gets_the_present_epoch_and_an_id_of_its_own);
    RUN(opening_rings_the_doorbell);
    RUN(there_is_room_for_four_windows);
    RUN(the_demand_is_the_shortest_period_and_the_next_end);
    RUN(a_window_that_has_ended_is_ignored);
    RUN(a_window_that_ends_before_it_starts_is_ignored);
    RUN(a_window_that_has_not_started_is_ignored);
    RUN(a_window_of_absurd_length_is_ignored);
    RUN(a_window_with_a_period_out_of_range_is_ignored);
    RUN(a_window_of_another_epoch_is_ignored);
    RUN(kinds_that_nobody_knows_are_ignored);
    RUN(a_bad_window_does_not_hide_a_good_one);
    RUN(bits_beyond_the_descriptors_are_ignored);
    RUN(a_wait_with_an_old_doorbell_does_not_sleep);
    RUN(a_wait_ends_at_its_timeout);
    RUN(a_ring_wakes_every_sleeper_on_the_shared_page);
    return 0;
}
