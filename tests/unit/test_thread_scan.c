/* test_thread_scan.c - see plugin/threads/thread_scan.h.
 *
 * sources: plugin/threads/thread_scan.c tests/unit/child.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/threads/thread_scan.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"
#include "expect.h"

#define SLEEPERS 150u /* more than one read of the directory holds */
#define NOBODY   (1 << 22)
#define REFUSED  77

static pthread_barrier_t started, ended;
static pid_t tids[SLEEPERS];

struct visits {
    uint32_t total;
    uint32_t seen[SLEEPERS];
    uint32_t main_thread;
};

static void visit(pid_t tid, void *data)
{
    struct visits *visits = data;

    visits->total++;
    visits->main_thread += tid == getpid();
    for (uint32_t i = 0; i < SLEEPERS; i++) {
        visits->seen[i] += tids[i] == tid;
    }
}

static void *sleeper(void *number)
{
    sigset_t blocked;

    tids[*(uint32_t *)number] = (pid_t)syscall(SYS_gettid);
    EXPECT(pthread_setname_np(pthread_self(), "a sleeper") == 0);
    EXPECT(sigemptyset(&blocked) == 0 && sigaddset(&blocked, SIGURG) == 0);
    EXPECT(pthread_sigmask(SIG_BLOCK, &blocked, NULL) == 0);
    (void)pthread_barrier_wait(&started);
    (void)pthread_barrier_wait(&ended);
    return NULL;
}

static void expect_sleepers(int directory)
{
    struct visits visits = {0};
    char name[64];

    EXPECT(cprof_thread_scan(directory, visit, &visits));
    EXPECT(visits.main_thread == 1 && visits.total == SLEEPERS + 1);
    EXPECT(cprof_thread_scan_count(directory) == SLEEPERS + 1);
    EXPECT(cprof_thread_scan_count(-1) == SLEEPERS + 1);
    for (uint32_t i = 0; i < SLEEPERS; i++) {
        EXPECT(visits.seen[i] == 1);
        cprof_thread_scan_name(tids[i], name, sizeof(name));
        EXPECT(strcmp(name, "a sleeper") == 0);
        EXPECT(cprof_thread_scan_blocks(tids[i], SIGURG));
        EXPECT(!cprof_thread_scan_blocks(tids[i], SIGSEGV));
    }
}

static void expect_main_thread_alone(int directory)
{
    struct visits visits = {0};

    EXPECT(cprof_thread_scan(directory, visit, &visits));
    EXPECT(visits.main_thread == 1 && visits.total == 1);
}

static void each_scan_visits_every_thread_once_with_its_name_and_mask(void)
{
    pthread_t threads[SLEEPERS];
    uint32_t numbers[SLEEPERS];
    int directory = cprof_thread_scan_open();

    expect_main_thread_alone(directory);
    EXPECT(pthread_barrier_init(&started, NULL, SLEEPERS + 1) == 0);
    EXPECT(pthread_barrier_init(&ended, NULL, SLEEPERS + 1) == 0);
    for (uint32_t i = 0; i < SLEEPERS; i++) {
        numbers[i] = i;
        EXPECT(pthread_create(&threads[i], NULL, sleeper, &numbers[i]) == 0);
    }
    (void)pthread_barrier_wait(&started);
    expect_sleepers(directory);
    expect_sleepers(directory);
    (void)pthread_barrier_wait(&ended);
    for (uint32_t i = 0; i < SLEEPERS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    cprof_thread_scan_close(directory);
}

static void what_is_no_directory_cannot_be_scanned(void)
{
    struct visits visits = {0};
    int ends[2];

    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    EXPECT(!cprof_thread_scan(-1, visit, &visits));
    EXPECT(!cprof_thread_scan(ends[0], visit, &visits) && visits.total == 0);
    cprof_thread_scan_close(-1);
    cprof_thread_scan_close(ends[0]);
    cprof_thread_scan_close(ends[1]);
    EXPECT(fcntl(ends[0], F_GETFD) == -1 && fcntl(ends[1], F_GETFD) == -1);
}

static void the_open_directory_is_closed_on_exec(void)
{
    int directory = cprof_thread_scan_open();

    EXPECT(directory >= 0 && (fcntl(directory, F_GETFD) & FD_CLOEXEC));
    cprof_thread_scan_close(directory);
}

static void a_name_is_cut_to_the_room_that_there_is(void)
{
    char name[4];

    EXPECT(pthread_setname_np(pthread_self(), "waiter") == 0);
    cprof_thread_scan_name((pid_t)syscall(SYS_gettid), name, sizeof(name));
    EXPECT(strcmp(name, "wai") == 0);
}

static void a_thread_that_is_gone_has_no_name_and_blocks_nothing(void)
{
    char name[8] = "before";

    cprof_thread_scan_name(NOBODY, name, sizeof(name));
    EXPECT(name[0] == '\0' && !cprof_thread_scan_blocks(NOBODY, SIGURG));
}

static void expect_no_directory(void *unused)
{
    (void)unused;
    EXPECT(cprof_thread_scan_open() == -1);
}

static void enter_process_namespace(void *unused)
{
    (void)unused;
    if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) {
        _exit(REFUSED);
    }
    _exit(child_run(expect_no_directory, NULL)); /* in the namespace is who is forked next */
}

static void a_directory_that_lists_threads_by_other_numbers_is_refused(void)
{
    int status = child_run(enter_process_namespace, NULL);

    EXPECT(status == CHILD_RETURNED || status == REFUSED);
}

int main(void)
{
    RUN(each_scan_visits_every_thread_once_with_its_name_and_mask);
    RUN(what_is_no_directory_cannot_be_scanned);
    RUN(the_open_directory_is_closed_on_exec);
    RUN(a_name_is_cut_to_the_room_that_there_is);
    RUN(a_thread_that_is_gone_has_no_name_and_blocks_nothing);
    RUN(a_directory_that_lists_threads_by_other_numbers_is_refused);
    return 0;
}
