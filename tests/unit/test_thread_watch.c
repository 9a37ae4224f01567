/* test_thread_watch.c - see plugin/sample/thread_watch.h. The ticker is the main thread.
 *
 * sources: plugin/ground/aside.c
 * sources: plugin/record/known_text.c
 * sources: plugin/sample/thread_watch.c plugin/threads/thread_scan.c plugin/threads/threads.c
 * sources: plugin/threads/interval.c plugin/threads/perf_grid.c
 * sources: plugin/threads/engine_timer.c plugin/threads/engine_perf.c plugin/threads/rearm.c
 * sources: plugin/threads/descriptors.c plugin/ground/guard.c plugin/record/recorder.c
 * sources: plugin/record/intern.c
 * sources: plugin/python/thread_state.c plugin/python/code_object.c plugin/python/text.c
 * sources: plugin/python/peek.c tests/unit/recorder_fixture.c tests/unit/fake_python.c
 * sources: tests/unit/fake_log.c
 * sources: plugin/tags/tag_values.c
 * flags: -Wl,--wrap=cprof_thread_scan -Wl,--wrap=cprof_thread_scan_count
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/sample/thread_watch.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../plugin/ground/guard.h"
#include "../../plugin/sample/offcpu.h"
#include "../../plugin/threads/thread_scan.h"
#include "../../plugin/threads/threads.h"
#include "../../shared/base/log.h"
#include "expect.h"
#include "recorder_fixture.h"

#define LOG_BYTES (UINT64_C(256) * 1024)
#define PERIOD_NS UINT64_C(10000000)
#define MAX_DEPTH 16u
#define CORES     1u

static struct recorder_fixture fixture;
static const struct cprof_python no_threads_listed;

static pthread_t sleeper;
static pthread_barrier_t started, ended;
static pid_t sleeper_tid;

/* What the kernel leaves out of the directory. */
static pid_t left_out;
static void (*visit_others)(pid_t tid, void *data);
static uint32_t scans; /* so far */
static bool (*scan_instead)(void (*visit)(pid_t tid, void *data), void *data);

static char logged[1024];
static unsigned lines;

static void keep_line(const char *line)
{
    (void)snprintf(logged, sizeof(logged), "%s", line);
    lines++;
}

bool __real_cprof_thread_scan(int directory, void (*visit)(pid_t tid, void *data), void *data);
bool __wrap_cprof_thread_scan(int directory, void (*visit)(pid_t tid, void *data), void *data);

static void visit_if_listed(pid_t tid, void *data)
{
    if (tid != left_out) {
        visit_others(tid, data);
    }
}

bool __wrap_cprof_thread_scan(int directory, void (*visit)(pid_t tid, void *data), void *data)
{
    scans++;
    if (scan_instead) {
        return scan_instead(visit, data);
    }
    visit_others = visit;
    return __real_cprof_thread_scan(directory, visit_if_listed, data);
}

static int fake_threads;

uint64_t __real_cprof_thread_scan_count(int directory);
uint64_t __wrap_cprof_thread_scan_count(int directory);

uint64_t __wrap_cprof_thread_scan_count(int directory)
{
    return scan_instead ? (uint64_t)fake_threads + 1 : __real_cprof_thread_scan_count(directory);
}

/* Wall time is not looked at here. */
void cprof_offcpu_forget(struct cprof_thread *thread)
{
    (void)thread;
}

static void *sleep_till_end(void *unused)
{
    sleeper_tid = (pid_t)syscall(SYS_gettid);
    (void)pthread_barrier_wait(&started);
    (void)pthread_barrier_wait(&ended);
    return unused;
}

static void begin(void)
{
    left_out = 0;
    recorder_fixture_begin(&fixture, LOG_BYTES, MAX_DEPTH);
    EXPECT(cprof_threads_create() && cprof_guard_set());
    cprof_thread_watch_setup(fixture.recorder.slot, &no_threads_listed, &fixture.recorder, CORES);
    cprof_thread_watch_enter(true);
    cprof_thread_watch_begin(PERIOD_NS, CPROF_PEEK_SYSTEM);
    EXPECT(pthread_barrier_init(&started, NULL, 2) == 0);
    EXPECT(pthread_barrier_init(&ended, NULL, 2) == 0);
    EXPECT(pthread_create(&sleeper, NULL, sleep_till_end, NULL) == 0);
    (void)pthread_barrier_wait(&started);
}

/* Until the kernel lists it no more, which is later than what pthread_join() waits for. */
static void end_sleeper(void)
{
    (void)pthread_barrier_wait(&ended);
    EXPECT(pthread_join(sleeper, NULL) == 0);
    while (syscall(SYS_tgkill, getpid(), sleeper_tid, 0) == 0) {
        (void)sched_yield();
    }
}

static void end(void)
{
    cprof_thread_watch_end();
    recorder_fixture_end(&fixture);
}

static bool look(void)
{
    return cprof_thread_watch_look(false);
}

static struct cprof_thread *register_core(int core, pid_t tid)
{
    struct cprof_thread *thread = cprof_thread_add(tid);

    EXPECT(thread);
    thread->core = core;
    cprof_thread_publish(thread);
    return thread;
}

static uint32_t record_count(void)
{
    uint32_t count = 0;

    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        count++;
    }
    return count;
}

static void a_thread_that_a_scan_left_out_stays_as_long_as_it_lives(void)
{
    struct cprof_thread *core;

    begin();
    core = register_core(0, sleeper_tid);

    left_out = sleeper_tid;
    EXPECT(!look());
    EXPECT(cprof_thread_of_tid(sleeper_tid) == core && core->core == 0);

    left_out = 0;
    EXPECT(!look());
    EXPECT(cprof_thread_of_tid(sleeper_tid) == core && record_count() == 1);
    end_sleeper();
    end();
}

static void a_thread_that_has_ended_is_forgotten(void)
{
    begin();
    EXPECT(look());
    EXPECT(cprof_thread_of_tid(sleeper_tid));
    EXPECT(!look());

    end_sleeper();
    EXPECT(look());
    EXPECT(record_count() == 0);
    EXPECT(!look());
    end();
}

static void the_directory_is_only_read_where_a_thread_came_or_went(void)
{
    uint32_t scans_before;

    begin();
    EXPECT(look());
    scans_before = scans;
    EXPECT(!look() && !look());
    EXPECT(scans == scans_before);

    end_sleeper();
    EXPECT(look());
    EXPECT(scans == scans_before + 1);
    end();
}

static void a_thread_that_takes_the_place_of_another_is_found(void)
{
    pid_t first_tid;

    begin();
    EXPECT(look());
    first_tid = sleeper_tid;
    end_sleeper();
    EXPECT(pthread_create(&sleeper, NULL, sleep_till_end, NULL) == 0);
    (void)pthread_barrier_wait(&started);

    EXPECT(look());
    EXPECT(record_count() == 1);
    EXPECT(cprof_thread_of_tid(sleeper_tid) && !cprof_thread_of_tid(first_tid));
    end_sleeper();
    end();
}

static void a_core_that_registers_late_takes_the_place_of_what_the_scan_had_met(void)
{
    struct cprof_thread *core;

    begin();
    EXPECT(look());
    core = register_core(0, sleeper_tid);
    EXPECT(record_count() == 2);

    EXPECT(look());
    EXPECT(record_count() == 1 && cprof_thread_of_tid(sleeper_tid) == core);
    end_sleeper();
    end();
}

#define FAKE_TIDS 1000000 /* beyond any that this process has */

/* In the place of the directory: many threads that are not there. Their clocks do not tick, which
 * is asked only of threads that are missing in a look. */
static bool visit_fakes(void (*visit)(pid_t tid, void *data), void *data)
{
    for (int i = 0; i < fake_threads; i++) {
        visit(FAKE_TIDS + i, data);
    }
    return true;
}

static uint64_t left_out_count(void)
{
    return atomic_load(&fixture.recorder.slot->counters[CPROF_COUNTER_THREADS_LEFT_OUT]);
}

static void threads_beyond_512_are_counted_and_the_log_says_so_once(void)
{
    begin();
    end_sleeper();
    scan_instead = visit_fakes;
    cprof_log_setup(keep_line, CPROF_LOG_WARNING);
    fake_threads = 512;
    EXPECT(look() && record_count() == 512);
    EXPECT(left_out_count() == 0 && lines == 0);

    fake_threads = 1000;
    EXPECT(!look() && record_count() == 512);
    EXPECT(left_out_count() == 488 && lines == 1);
    EXPECT(
        strstr(logged, "more than 512 threads of the app in this process: 488 are not followed"));
    fake_threads = 600;
    EXPECT(!look());
    EXPECT(left_out_count() == 488 && lines == 1);
    scan_instead = NULL;
    end();
}

int main(void)
{
    RUN(a_thread_that_a_scan_left_out_stays_as_long_as_it_lives);
    RUN(a_thread_that_has_ended_is_forgotten);
    RUN(the_directory_is_only_read_where_a_thread_came_or_went);
    RUN(a_thread_that_takes_the_place_of_another_is_found);
    RUN(threads_beyond_512_are_counted_and_the_log_says_so_once);
    RUN(a_core_that_registers_late_takes_the_place_of_what_the_scan_had_met);
    return 0;
}
