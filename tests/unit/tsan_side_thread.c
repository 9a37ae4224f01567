/* tsan_side_thread.c - the loop gives jobs while the thread works; see gateway/loop/side_thread.h.
 *
 * sources: gateway/loop/side_thread.c gateway/loop/loop.c gateway/loop/turn_clock.c
 * sources: gateway/loop/log_writer.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/loop/side_thread.h"

#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include "../../gateway/loop/log_writer.h"
#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "expect.h"

#define ROUNDS 2000u
#define JOBS   8u

static const struct cprof_side_rule rule = {
    .name = "test", .what = "tests", .jobs_max = JOBS, .urgent_max = JOBS, .bytes_max = 1000};
static struct cprof_loop loop;
static struct cprof_side_thread *side;
static unsigned given, back;

struct counting {
    struct cprof_side_job job;
    unsigned number; /* the loop's, then the thread's, then the loop's again */
};

static struct counting jobs[JOBS];

static void give(struct counting *counting);

static void work(struct cprof_side_job *job)
{
    ((struct counting *)job)->number++;
    cprof_log(CPROF_LOG_INFO, "from the thread");
}

static void done(struct cprof_side_job *job, bool was_worked)
{
    struct counting *counting = (struct counting *)job;

    EXPECT(was_worked && counting->number % 2 == 0);
    cprof_log(CPROF_LOG_INFO, "from the loop");
    if (++back == ROUNDS) {
        cprof_loop_stop(&loop);
    } else if (given < ROUNDS) {
        give(counting);
    }
}

static void give(struct counting *counting)
{
    counting->number++;
    counting->job = (struct cprof_side_job){
        .bytes = 10, .is_urgent = given % 3 == 0, .work = work, .done = done};
    given++;
    EXPECT(cprof_side_thread_take(side, &counting->job));
}

/* Each line is dropped and counted. */
static int open_full_pipe(void)
{
    static const char bytes[4096];
    int fds[2];

    EXPECT(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    while (write(fds[1], bytes, sizeof(bytes)) > 0) {
        continue;
    }
    return fds[1];
}

static void each_job_is_one_threads_at_a_time(void)
{
    int shown = dup(STDERR_FILENO), full = open_full_pipe();
    struct cprof_error error;

    cprof_log_setup(cprof_log_writer_write, CPROF_LOG_INFO);
    EXPECT(shown >= 0 && dup2(full, STDERR_FILENO) == STDERR_FILENO);
    cprof_loop_init(&loop);
    side = cprof_side_thread_create(&loop, &rule, &error);
    EXPECT(side);
    for (unsigned i = 0; i < JOBS; i++) {
        give(&jobs[i]);
    }
    cprof_loop_run(&loop);
    EXPECT(dup2(shown, STDERR_FILENO) == STDERR_FILENO);
    EXPECT(cprof_log_writer_dropped() == (uint64_t)2 * ROUNDS);
    EXPECT(given == ROUNDS && cprof_side_thread_end(side, 20 * NS_PER_S));
}

#define LEFT_ROUNDS 20u

static sem_t begun;
/* Relaxed, so that nothing but the side thread's own lock says what comes before what. */
static atomic_uint rounds_over;

struct hanging {
    struct cprof_side_job job;
    unsigned round;
};

static void hang(struct cprof_side_job *job)
{
    EXPECT(sem_post(&begun) == 0);
    while (atomic_load_explicit(&rounds_over, memory_order_relaxed) <=
           ((struct hanging *)job)->round) {
        (void)sched_yield();
    }
}

static void never(struct cprof_side_job *job, bool was_worked)
{
    (void)job, (void)was_worked;
    EXPECT(!"a job that was left comes back");
}

/* It closes its descriptor, and then frees its memory. */
static void wait_for_end(int fd)
{
    while (fcntl(fd, F_GETFD) >= 0) {
        (void)sched_yield();
    }
}

static void a_thread_that_is_left_frees_what_nobody_else_touches(void)
{
    static struct hanging left[LEFT_ROUNDS]; /* the threads' for ever */
    struct cprof_error error;

    EXPECT(sem_init(&begun, 0, 0) == 0);
    for (unsigned i = 0; i < LEFT_ROUNDS; i++) {
        int fd;

        cprof_loop_init(&loop);
        side = cprof_side_thread_create(&loop, &rule, &error);
        EXPECT(side && loop.watches[0]);
        fd = loop.watches[0]->fd;
        left[i] = (struct hanging){.job = {.bytes = 10, .work = hang, .done = never}, .round = i};
        EXPECT(cprof_side_thread_take(side, &left[i].job) && sem_wait(&begun) == 0);
        EXPECT(!cprof_side_thread_end(side, 0));
        atomic_store_explicit(&rounds_over, i + 1, memory_order_relaxed);
        wait_for_end(fd);
    }
}

int main(void)
{
    RUN(each_job_is_one_threads_at_a_time);
    RUN(a_thread_that_is_left_frees_what_nobody_else_touches);
    return 0;
}
