/* test_sleep_state.c - real threads that sleep in known places; see plugin/sample/sleep_state.h.
 *
 * The sleepers are never woken: they end with the test program.
 *
 * sources: plugin/sample/sleep_state.c plugin/threads/descriptors.c tests/unit/child.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/sample/sleep_state.h"

#include <dirent.h>
#include <dlfcn.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../plugin/threads/descriptors.h"
#include "../../shared/base/log.h"
#include "../../shared/segment/layout.h"
#include "child.h"
#include "expect.h"

#define SECONDS_MAX 20
#define NOBODY      65534u
#define PIPE_ENDS   2

#define FEW_DESCRIPTORS 40u

static int pipe_ends[PIPE_ENDS], socket_ends[PIPE_ENDS];
static uint32_t word; /* a futex */
static pthread_mutex_t locked = PTHREAD_MUTEX_INITIALIZER;
static uint32_t warnings;

static void in_nanosleep(void)
{
    const struct timespec long_time = {.tv_sec = 1000};

    (void)nanosleep(&long_time, NULL);
}

static void in_futex(void)
{
    (void)syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void in_mutex(void)
{
    (void)pthread_mutex_lock(&locked);
}

static void in_recv(void)
{
    char byte;

    (void)recv(socket_ends[0], &byte, 1, 0);
}

static void in_poll(void)
{
    struct pollfd end = {.fd = pipe_ends[0], .events = POLLIN};

    (void)poll(&end, 1, -1);
}

static void in_read_of_pipe(void)
{
    char byte;

    (void)!read(pipe_ends[0], &byte, 1);
}

static void in_read_of_socket(void)
{
    char byte;

    (void)!read(socket_ends[0], &byte, 1);
}

/* A thread, and what the ticker knows of it. */
struct sleeper {
    void (*body)(void);
    _Atomic pid_t tid;
    struct cprof_thread thread;
};

static void *run_sleeper(void *data)
{
    struct sleeper *sleeper = data;

    atomic_store(&sleeper->tid, (pid_t)syscall(SYS_gettid));
    sleeper->body();
    return NULL;
}

static pthread_t start(struct sleeper *sleeper, void (*body)(void))
{
    pthread_t thread;

    sleeper->body = body;
    atomic_store(&sleeper->tid, 0);
    EXPECT(pthread_create(&thread, NULL, run_sleeper, sleeper) == 0);
    while (atomic_load(&sleeper->tid) == 0) {
        (void)sched_yield();
    }
    sleeper->thread.tid = atomic_load(&sleeper->tid);
    sleeper->thread.sleep = (struct cprof_sleep)CPROF_SLEEP_NONE;
    return thread;
}

static bool has_time_left(time_t end)
{
    (void)sched_yield();
    return time(NULL) < end;
}

/* Reads until the thread is where it is to be. On its way there it may sleep elsewhere. */
static void expect_state(struct sleeper *sleeper, uint32_t wanted, struct cprof_sleep_state *state)
{
    time_t end = time(NULL) + SECONDS_MAX;

    while (!cprof_sleep_state_read(&sleeper->thread, state) || state->state != wanted) {
        EXPECT(has_time_left(end));
    }
}

/* A thread that was joined may still be on its way out of the kernel. */
static void expect_gone(struct sleeper *mortal)
{
    time_t end = time(NULL) + SECONDS_MAX;
    struct cprof_sleep_state state;
    uint64_t run_queue_ns;

    while (cprof_sleep_state_read(&mortal->thread, &state) ||
           cprof_sleep_run_queue(&mortal->thread, &run_queue_ns)) {
        EXPECT(has_time_left(end));
    }
    /* It may have gone between the two reads. */
    EXPECT(!cprof_sleep_state_read(&mortal->thread, &state));
}

static bool is_in_libc(uintptr_t pc)
{
    Dl_info info;

    return dladdr((void *)pc, &info) && strstr(info.dli_fname, "/libc.so");
}

static uint32_t count_open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    uint32_t count = 0;

    EXPECT(directory);
    while (readdir(directory)) {
        count++;
    }
    EXPECT(closedir(directory) == 0);
    return count;
}

static void a_sleeping_threads_state_is_its_system_call(void)
{
    static const struct {
        void (*body)(void);
        uint32_t state;
    } places[] = {
        {in_nanosleep, CPROF_STATE_SLEEP},
        {in_recv, CPROF_STATE_RECV},
        {in_poll, CPROF_STATE_POLL},
        {in_read_of_pipe, CPROF_STATE_SYSTEM_CALL + SYS_read},
        {in_read_of_socket, CPROF_STATE_RECV},
    };
    static struct sleeper sleepers[sizeof(places) / sizeof(places[0])];

    cprof_sleep_state_begin(false);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct cprof_sleep_state state;

        (void)start(&sleepers[i], places[i].body);
        expect_state(&sleepers[i], places[i].state, &state);
        EXPECT(is_in_libc(state.pc) && state.futex == 0);
    }
    EXPECT(!cprof_sleep_state_is_coarse());
}

static void a_thread_that_waits_for_a_lock_tells_its_address(void)
{
    static struct sleeper waiter, mutex_waiter;
    struct cprof_sleep_state state;

    EXPECT(pthread_mutex_lock(&locked) == 0);
    (void)start(&waiter, in_futex);
    expect_state(&waiter, CPROF_STATE_FUTEX, &state);
    EXPECT(state.futex == (uintptr_t)&word && is_in_libc(state.pc));
    (void)start(&mutex_waiter, in_mutex);
    expect_state(&mutex_waiter, CPROF_STATE_FUTEX, &state);
    EXPECT(state.futex >= (uintptr_t)&locked && state.futex < (uintptr_t)(&locked + 1));
}

static _Atomic uint64_t turns;
static _Atomic bool stop;

static void in_a_loop(void)
{
    /* A name that looks like the state which stat shows behind it. */
    (void)prctl(PR_SET_NAME, "x) S");
    while (!atomic_load(&stop)) {
        atomic_fetch_add(&turns, 1);
    }
}

static pthread_t start_spinner(struct sleeper *spinner)
{
    uint64_t turns_before = atomic_load(&turns);
    pthread_t thread;

    atomic_store(&stop, false);
    thread = start(spinner, in_a_loop);
    while (atomic_load(&turns) == turns_before) {
        (void)sched_yield();
    }
    return thread;
}

/* Reads a thread that runs or waits for a CPU; it is never asleep. */
static void expect_awake(void)
{
    static struct sleeper spinner;
    struct cprof_sleep_state state;
    pthread_t thread = start_spinner(&spinner);

    for (uint32_t i = 0; i < 1000; i++) {
        EXPECT(!cprof_sleep_state_read(&spinner.thread, &state));
    }
    atomic_store(&stop, true);
    EXPECT(pthread_join(thread, NULL) == 0);
}

static void a_running_thread_is_not_asleep(void)
{
    cprof_sleep_state_begin(false);
    expect_awake();
    EXPECT(!cprof_sleep_state_is_coarse());
}

static void return_at_once(void)
{
}

static void a_thread_that_is_gone_is_not_asleep(void)
{
    static struct sleeper mortal;

    cprof_sleep_state_begin(false);
    EXPECT(pthread_join(start(&mortal, return_at_once), NULL) == 0);
    expect_gone(&mortal);
    EXPECT(!cprof_sleep_state_is_coarse());
}

static void files_stay_open_only_where_they_may(void)
{
    static struct sleeper sleeper;
    struct cprof_sleep_state state;
    uint64_t run_queue_ns;
    uint32_t before;

    (void)start(&sleeper, in_nanosleep);
    cprof_sleep_state_begin(false);
    before = count_open_files();
    expect_state(&sleeper, CPROF_STATE_SLEEP, &state);
    EXPECT(cprof_sleep_run_queue(&sleeper.thread, &run_queue_ns));
    EXPECT(count_open_files() == before);

    cprof_sleep_state_begin(true);
    for (uint32_t i = 0; i < 10; i++) {
        expect_state(&sleeper, CPROF_STATE_SLEEP, &state);
        EXPECT(cprof_sleep_run_queue(&sleeper.thread, &run_queue_ns));
        EXPECT(count_open_files() == before + 2);
    }
    cprof_sleep_close_files(&sleeper.thread);
    EXPECT(count_open_files() == before && sleeper.thread.sleep.status_file == -1 &&
           sleeper.thread.sleep.account_file == -1);
    cprof_sleep_close_files(&sleeper.thread);
}

static void files_of_a_thread_that_ended_are_closed_by_the_next_read(void)
{
    static struct sleeper mortal;
    struct cprof_sleep_state state;
    uint64_t run_queue_ns;
    uint32_t before = count_open_files();
    pthread_t thread;

    cprof_sleep_state_begin(true);
    thread = start_spinner(&mortal);
    EXPECT(!cprof_sleep_state_read(&mortal.thread, &state));
    EXPECT(cprof_sleep_run_queue(&mortal.thread, &run_queue_ns));
    EXPECT(count_open_files() == before + 2);
    atomic_store(&stop, true);
    EXPECT(pthread_join(thread, NULL) == 0);

    expect_gone(&mortal);
    EXPECT(count_open_files() == before && !cprof_sleep_state_is_coarse());
}

/* The limit is this test program's alone, and lowered for good. */
static void be_short_of_descriptors(void *unused)
{
    static struct sleeper sleepers[FEW_DESCRIPTORS];
    struct rlimit few = {.rlim_cur = FEW_DESCRIPTORS, .rlim_max = FEW_DESCRIPTORS};
    struct cprof_sleep_state state;
    uint64_t run_queue_ns;

    (void)unused;
    EXPECT(setrlimit(RLIMIT_NOFILE, &few) == 0);
    cprof_descriptors_begin();
    cprof_sleep_state_begin(true);
    for (uint32_t i = 0; i < FEW_DESCRIPTORS; i++) {
        (void)start(&sleepers[i], in_nanosleep);
        EXPECT(cprof_sleep_run_queue(&sleepers[i].thread, &run_queue_ns));
    }
    for (uint32_t i = 0; i < FEW_DESCRIPTORS; i++) {
        expect_state(&sleepers[i], CPROF_STATE_SLEEP, &state);
    }
    EXPECT(sleepers[0].thread.sleep.account_file >= 0);
}

static void every_thread_is_read_where_descriptors_are_too_few_to_be_kept(void)
{
    EXPECT(child_run(be_short_of_descriptors, NULL) == CHILD_RETURNED);
}

/* What the kernel says, read independently. */
static uint64_t run_queue_time_of(pid_t tid)
{
    unsigned long long on_cpu_ns, waited_ns;
    char path[64];
    FILE *file;

    EXPECT(snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", (int)tid) > 0);
    file = fopen(path, "re");
    EXPECT(file &&
           fscanf(file, "%llu %llu", &on_cpu_ns, &waited_ns) == 2); /* NOLINT(cert-err34-c) */
    EXPECT(fclose(file) == 0);
    return waited_ns;
}

static void run_queue_time_is_the_kernels_own_account(void)
{
    static struct sleeper sleeper;
    struct cprof_sleep_state state;
    uint64_t run_queue_ns;

    cprof_sleep_state_begin(false);
    (void)start(&sleeper, in_nanosleep);
    expect_state(&sleeper, CPROF_STATE_SLEEP, &state);
    EXPECT(cprof_sleep_run_queue(&sleeper.thread, &run_queue_ns));
    EXPECT(run_queue_ns == run_queue_time_of(sleeper.thread.tid));
}

static void count_warning(const char *line)
{
    warnings += strstr(line, "/syscall cannot be read") != NULL;
}

/* As in a server that was started as root with `uid =`. */
static void be_refused(void *unused)
{
    static struct sleeper sleeper, lock_waiter, reader, mortal;
    struct cprof_sleep_state state;

    (void)unused;
    EXPECT(prctl(PR_SET_DUMPABLE, 0) == 0 && setuid(NOBODY) == 0);
    (void)start(&sleeper, in_nanosleep);
    for (uint32_t window = 0; window < 2; window++) {
        cprof_sleep_state_begin(true);
        EXPECT(!cprof_sleep_state_is_coarse());
        expect_state(&sleeper, CPROF_STATE_SLEEP, &state);
        EXPECT(cprof_sleep_state_is_coarse() && state.pc == 0 && state.futex == 0);
    }
    EXPECT(warnings == 1);

    (void)start(&lock_waiter, in_futex);
    expect_state(&lock_waiter, CPROF_STATE_FUTEX, &state);
    EXPECT(state.futex == 0);
    (void)start(&reader, in_read_of_pipe);
    expect_state(&reader, CPROF_STATE_SYSTEM_CALL + SYS_read, &state);
    expect_awake();
    EXPECT(pthread_join(start(&mortal, return_at_once), NULL) == 0);
    expect_gone(&mortal);
}

static void where_the_system_call_is_refused_the_kernels_function_serves(void)
{
    if (geteuid() != 0) {
        (void)fprintf(stderr, "  skipped: only root can become nobody\n");
        return;
    }
    EXPECT(child_run(be_refused, NULL) == CHILD_RETURNED);
}

int main(void)
{
    cprof_log_setup(count_warning, CPROF_LOG_WARNING);
    EXPECT(pipe(pipe_ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, socket_ends) == 0);
    cprof_descriptors_begin();
    /* These two fork: before threads. */
    RUN(where_the_system_call_is_refused_the_kernels_function_serves);
    RUN(every_thread_is_read_where_descriptors_are_too_few_to_be_kept);
    RUN(a_sleeping_threads_state_is_its_system_call);
    RUN(a_thread_that_waits_for_a_lock_tells_its_address);
    RUN(a_running_thread_is_not_asleep);
    RUN(a_thread_that_is_gone_is_not_asleep);
    RUN(files_stay_open_only_where_they_may);
    RUN(files_of_a_thread_that_ended_are_closed_by_the_next_read);
    RUN(run_queue_time_is_the_kernels_own_account);
    EXPECT(warnings == 0);
    return 0;
}
