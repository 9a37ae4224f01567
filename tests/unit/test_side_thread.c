/* test_side_thread.c - see gateway/loop/side_thread.h.
 *
 * SPDX-License-Identifier: MIT
 */
// flags: -Wl,--wrap=pthread_create
#include "../../gateway/loop/side_thread.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"
#include "expect.h"

#define JOBS_MAX   4u
#define URGENT_MAX 2u
#define BYTES_MAX  1000u

static int refused; /* why there is no thread; 0: there may be one */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *context);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *context)
{
    return refused ? refused : __real_pthread_create(thread, attributes, start, context);
}

static const struct cprof_side_rule rule = {.name = "test",
                                            .what = "tests",
                                            .jobs_max = JOBS_MAX,
                                            .urgent_max = URGENT_MAX,
                                            .bytes_max = BYTES_MAX};
static struct cprof_loop loop;
static struct cprof_side_thread *side;
static pthread_t loop_thread;
static sem_t begun, may_go_on;
static char order[64]; /* names of jobs, as they came back */
static unsigned unworked;
static char log_lines[2048];

struct named {
    struct cprof_side_job job;
    char name;
    bool hangs; /* until may_go_on */
    bool was_beside;
    bool stops;
    sigset_t blocked;
};

static void keep_line(const char *line)
{
    (void)strncat(log_lines, line, sizeof(log_lines) - strlen(log_lines) - 1);
}

static void work(struct cprof_side_job *job)
{
    struct named *named = (struct named *)job;

    named->was_beside = !pthread_equal(pthread_self(), loop_thread);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &named->blocked);
    if (named->hangs) {
        EXPECT(sem_post(&begun) == 0);
        while (sem_wait(&may_go_on) != 0) {
            EXPECT(errno == EINTR);
        }
    }
}

static void done(struct cprof_side_job *job, bool was_worked)
{
    struct named *named = (struct named *)job;
    size_t used = strlen(order);

    EXPECT(pthread_equal(pthread_self(), loop_thread) && used + 1 < sizeof(order));
    order[used] = named->name;
    order[used + 1] = '\0';
    unworked += !was_worked;
    if (named->stops) {
        cprof_loop_stop(&loop);
    }
}

static struct named job(char name)
{
    return (struct named){.job = {.bytes = 100, .work = work, .done = done}, .name = name};
}

static void begin_test(void)
{
    struct cprof_error error;

    refused = 0;
    unworked = 0;
    order[0] = '\0';
    log_lines[0] = '\0';
    cprof_log_setup(keep_line, CPROF_LOG_INFO);
    loop_thread = pthread_self();
    EXPECT(sem_init(&begun, 0, 0) == 0 && sem_init(&may_go_on, 0, 0) == 0);
    cprof_loop_init(&loop);
    side = cprof_side_thread_create(&loop, &rule, &error);
    EXPECT(side);
}

static bool take(struct named *named)
{
    return cprof_side_thread_take(side, &named->job);
}

/* The thread is in it, and what comes next has to wait. */
static void take_one_that_hangs(struct named *named)
{
    named->hangs = true;
    EXPECT(take(named) && sem_wait(&begun) == 0);
}

static void what_is_worked_beside_the_loop_comes_back_to_it(void)
{
    struct named first = job('a'), last = job('b');

    begin_test();
    last.stops = true;
    EXPECT(take(&first) && take(&last));
    cprof_loop_run(&loop);
    EXPECT(strcmp(order, "ab") == 0 && first.was_beside && last.was_beside && unworked == 0);
    EXPECT(sigismember(&last.blocked, SIGTERM) == 1 && sigismember(&last.blocked, SIGCHLD) == 1);
    EXPECT(cprof_side_thread_waiting(side) == 0);
    EXPECT(cprof_side_thread_end(side, 0));
}

static void an_urgent_one_goes_before_those_that_wait(void)
{
    struct named hanging = job('h'), second = job('s'), urgent = job('u');

    begin_test();
    take_one_that_hangs(&hanging);
    urgent.job.is_urgent = true;
    EXPECT(take(&second) && take(&urgent));
    EXPECT(sem_post(&may_go_on) == 0);
    EXPECT(cprof_side_thread_end(side, 20 * NS_PER_S));
    EXPECT(strcmp(order, "hus") == 0 && unworked == 0);
}

static void one_by_one_urgent_ones_let_others_through(void)
{
    struct named hanging = job('h'), second = job('s'), third = job('t');
    struct named urgent[URGENT_MAX] = {job('U'), job('V')};

    begin_test();
    take_one_that_hangs(&hanging);
    EXPECT(take(&second) && take(&third));
    for (unsigned i = 0; i < URGENT_MAX; i++) {
        urgent[i].job.is_urgent = true;
        EXPECT(take(&urgent[i]));
    }
    EXPECT(sem_post(&may_go_on) == 0);
    EXPECT(cprof_side_thread_end(side, 20 * NS_PER_S));
    EXPECT(strcmp(order, "hUsVt") == 0 && unworked == 0);
}

static void more_than_the_bound_is_refused_and_stays_the_callers(void)
{
    struct named jobs[JOBS_MAX], urgent[URGENT_MAX], more = job('m');

    begin_test();
    for (unsigned i = 0; i < JOBS_MAX; i++) {
        jobs[i] = job((char)('0' + i));
    }
    take_one_that_hangs(&jobs[0]);
    for (unsigned i = 1; i < JOBS_MAX; i++) {
        EXPECT(take(&jobs[i]));
    }
    EXPECT(!take(&more) && cprof_side_thread_waiting(side) == JOBS_MAX);
    for (unsigned i = 0; i < URGENT_MAX; i++) {
        urgent[i] = job((char)('A' + i));
        urgent[i].job.is_urgent = true;
        EXPECT(take(&urgent[i])); /* these have places of their own */
    }
    more.job.is_urgent = true;
    EXPECT(!take(&more));
    EXPECT(sem_post(&may_go_on) == 0);
    EXPECT(cprof_side_thread_end(side, 20 * NS_PER_S));
    EXPECT(strcmp(order, "0A1B23") == 0);
}

static void bytes_are_bounded_but_one_job_may_be_larger(void)
{
    struct named large = job('l'), small = job('s');

    begin_test();
    large.job.bytes = 2 * (size_t)BYTES_MAX;
    take_one_that_hangs(&large);
    EXPECT(!take(&small));
    EXPECT(sem_post(&may_go_on) == 0);
    EXPECT(cprof_side_thread_end(side, 20 * NS_PER_S));
    EXPECT(strcmp(order, "l") == 0);
}

static void without_a_thread_jobs_are_done_at_once_and_one_line_says_so(void)
{
    struct named first = job('a'), second = job('b'), third = job('c');

    begin_test();
    refused = EAGAIN;
    EXPECT(take(&first) && take(&second));
    EXPECT(strcmp(order, "ab") == 0 && !first.was_beside && !second.was_beside);
    EXPECT(strstr(log_lines, "the system refuses a thread for tests (Resource temporarily"));
    EXPECT(strchr(log_lines, '\n') == strrchr(log_lines, '\n'));
    refused = 0;
    third.stops = true;
    EXPECT(take(&third));
    cprof_loop_run(&loop);
    EXPECT(third.was_beside && cprof_side_thread_end(side, 0));
}

static void whoever_has_no_side_thread_has_it_done_at_once(void)
{
    struct named only = job('o');

    begin_test();
    EXPECT(cprof_side_thread_take(NULL, &only.job) && strcmp(order, "o") == 0);
    EXPECT(cprof_side_thread_waiting(NULL) == 0 && cprof_side_thread_end(NULL, 0));
    EXPECT(cprof_side_thread_end(side, 0));
}

static void at_the_end_a_job_that_hangs_is_left_and_the_others_come_back_unworked(void)
{
    static struct named hanging; /* the thread's for ever */
    struct named second = job('s'), urgent = job('u');
    uint64_t began_ns;

    begin_test();
    hanging = job('h');
    take_one_that_hangs(&hanging);
    urgent.job.is_urgent = true;
    EXPECT(take(&second) && take(&urgent));
    began_ns = cprof_now_ns();
    EXPECT(!cprof_side_thread_end(side, 50 * NS_PER_MS));
    EXPECT(cprof_now_ns() - began_ns >= 50 * NS_PER_MS);
    EXPECT(strcmp(order, "us") == 0 && unworked == 2);
    EXPECT(sem_post(&may_go_on) == 0);
}

int main(void)
{
    RUN(what_is_worked_beside_the_loop_comes_back_to_it);
    RUN(an_urgent_one_goes_before_those_that_wait);
    RUN(one_by_one_urgent_ones_let_others_through);
    RUN(more_than_the_bound_is_refused_and_stays_the_callers);
    RUN(bytes_are_bounded_but_one_job_may_be_larger);
    RUN(without_a_thread_jobs_are_done_at_once_and_one_line_says_so);
    RUN(whoever_has_no_side_thread_has_it_done_at_once);
    RUN(at_the_end_a_job_that_hangs_is_left_and_the_others_come_back_unworked);
    return 0;
}
