/* ticker.c - see ticker.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ticker.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../base/log.h"
#include "../share/window.h"
#include "engine_perf.h"
#include "engine_timer.h"
#include "guard.h"
#include "oncpu.h"
#include "thread_scan.h"
#include "threads.h"

#define ROUND_NS         UINT64_C(100000000) /* between two looks at the threads in a window */
#define ROUND_COST_MAX   50u /* a look takes at most one part in so many of the time */
#define DRAIN_NS         UINT64_C(1000000) /* between two looks at handlers that are inside */
#define STACK_BYTES      (256 * 1024)
#define LEAVE_NS         1000000
#define LEAVE_ROUNDS_MAX 50

static struct {
    const struct cprof_slot_mapping *mapping;
    const struct cprof_python *python;
    struct cprof_recorder *recorder;
    uint32_t incarnation;
    uint32_t core_count; /* that this process will have */
    pid_t tid;
    enum cprof_peek_way way;
    uint64_t period_ns;
    /* What the clocks and the slot's counters said when the epoch was joined. */
    uint64_t process_start_ns;
    uint64_t ticker_start_ns;
    uint64_t cpu_clock_base_ns;
    uint64_t ticker_cpu_base_ns;
    uint32_t app_threads; /* that have a record now */
    bool has_own_descriptors;
    int task_directory; /* open in a window, or -1 */
    bool warned_of_blocked_signal;
    bool warned_of_taken_signal;
    char process_name[CPROF_THREAD_NAME_BYTES];
} ticker = {.task_directory = -1};

/* A thread that has no thread state at its first looks rarely gets one. */
#define EAGER_LOOKS 5u
#define RARE_LOOKS  16u

/* Each costs a perf event, a timer and a look ten times a second. */
#define APP_THREADS_MAX 512u

/* Records by thread id, for one look: open addressing, at most half full. */
#define TID_PLACES (2u * CPROF_THREADS_MAX)
static struct cprof_thread *threads_by_tid[TID_PLACES];

static _Atomic uint32_t in_interpreter; /* 1: the ticker may be reading its memory */

static uint64_t read_clock_ns(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void sleep_ns(long ns)
{
    struct timespec pause = {.tv_nsec = ns};

    (void)nanosleep(&pause, NULL);
}

/* --- clocks ------------------------------------------------------------------------------- */

static void start_clocks(void)
{
    struct cprof_slot_counters *counters = &ticker.mapping->slot->counters;

    ticker.cpu_clock_base_ns = atomic_load(&counters->cpu_clock_ns);
    ticker.ticker_cpu_base_ns = atomic_load(&counters->ticker_cpu_ns);
    ticker.process_start_ns = read_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    ticker.ticker_start_ns = read_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* The process's clock counts threads that have ended, too. */
static void publish_clocks(void)
{
    struct cprof_slot_counters *counters = &ticker.mapping->slot->counters;
    uint64_t own_ns = read_clock_ns(CLOCK_THREAD_CPUTIME_ID) - ticker.ticker_start_ns;
    uint64_t process_ns = read_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - ticker.process_start_ns;

    atomic_store(&counters->ticker_cpu_ns, ticker.ticker_cpu_base_ns + own_ns);
    atomic_store(&counters->cpu_clock_ns, ticker.cpu_clock_base_ns + process_ns - own_ns);
}

/* --- threads ------------------------------------------------------------------------------ */

static void count_miss(enum cprof_miss miss, uint64_t weight_ns)
{
    struct cprof_slot_counters *counters = &ticker.mapping->slot->counters;

    atomic_fetch_add(&counters->missed[miss], 1);
    atomic_fetch_add(&counters->missed_weight_ns, weight_ns);
}

/* Pairs a thread of the app with its thread state, once it has one. */
static void pair(struct cprof_thread *thread)
{
    uintptr_t state;

    if (atomic_load(&thread->has_state) ||
        (thread->looks > EAGER_LOOKS && thread->looks % RARE_LOOKS != 0)) {
        return;
    }
    atomic_store(&in_interpreter, 1);
    if (cprof_guard_is_set()) {
        state = cprof_find_state_of_tid(ticker.python, ticker.way, (uint64_t)thread->tid);
        if (state && cprof_remember_state(ticker.python, ticker.way, state, &thread->remembered)) {
            atomic_store(&thread->has_state, 1);
        }
    }
    atomic_store(&in_interpreter, 0);
}

static void write_tags(struct cprof_thread *thread)
{
    struct cprof_context *context = cprof_context_acquire(ticker.recorder);

    if (context) {
        atomic_store(&thread->tag_ref,
                     cprof_record_tag(context, CPROF_NO_REF, "thread", thread->name));
        cprof_context_release(context);
    }
}

/* A thread whose ticks do not come. (For an instant every thread blocks all signals: while it
 * makes another one. So it is asked only when a tick is long overdue.) */
static void check_blocked_signal(struct cprof_thread *thread)
{
    if (thread->signal_blocked || !cprof_thread_scan_blocks(thread->tid, CPROF_SIGNAL)) {
        return;
    }
    thread->signal_blocked = true;
    count_miss(CPROF_MISS_BLOCKED, 0);
    if (!ticker.warned_of_blocked_signal) {
        ticker.warned_of_blocked_signal = true;
        cprof_log(CPROF_LOG_WARNING,
                  "thread %d (%s) keeps SIGURG blocked: its CPU time is not seen", thread->tid,
                  thread->name);
    }
}

/* Books what the thread has used since the last look. */
static void follow_clock(struct cprof_thread *thread)
{
    atomic_fetch_add(&ticker.mapping->slot->counters.sampled_clock_ns,
                     cprof_engine_timer_advance(thread));
}

static void arm(struct cprof_thread *thread)
{
    struct cprof_slot_counters *counters = &ticker.mapping->slot->counters;

    write_tags(thread);
    if (!cprof_engine_perf_arm(thread, ticker.period_ns)) {
        atomic_fetch_add(&counters->perf_refused, 1);
    }
    if (!cprof_engine_timer_arm(thread, ticker.period_ns)) {
        cprof_engine_perf_disarm(thread);
        return;
    }
    thread->signal_blocked = false;
    atomic_fetch_add(&counters->threads_seen, 1);
}

static void disarm(struct cprof_thread *thread)
{
    follow_clock(thread);
    cprof_engine_perf_disarm(thread);
    cprof_engine_timer_disarm(thread);
}

/* A thread of the app: named by its comm where it has one of its own. While cores are still
 * missing it may be one of them that has not registered yet, so it is armed one look later: by
 * then it has registered, and this record is removed as unseen. */
static void add_app_thread(pid_t tid)
{
    struct cprof_thread *thread =
        ticker.app_threads < APP_THREADS_MAX ? cprof_thread_add(tid) : NULL;
    char name[CPROF_THREAD_NAME_BYTES];

    if (!thread) {
        return; /* its CPU time will be [unsampled] */
    }
    ticker.app_threads++;
    cprof_thread_scan_name(tid, name, sizeof(name));
    (void)snprintf(thread->name, sizeof(thread->name), "%s",
                   name[0] == '\0' || strcmp(name, ticker.process_name) == 0 ? "app" : name);
    cprof_thread_publish(thread);
    if (cprof_thread_core_count() >= ticker.core_count) {
        pair(thread);
        arm(thread);
    }
}

/* Time whose ticks were lost was not sampled: it is taken back from what was. */
static void look_at_thread(struct cprof_thread *thread)
{
    struct cprof_slot_counters *counters = &ticker.mapping->slot->counters;
    uint64_t lost_ns;

    thread->looks++;
    pair(thread);
    if (!thread->armed) {
        arm(thread);
        return;
    }
    follow_clock(thread);
    lost_ns = cprof_engine_timer_revive(thread, ticker.period_ns);
    if (lost_ns) {
        count_miss(CPROF_MISS_LOST, 0);
        check_blocked_signal(thread);
        lost_ns = lost_ns < atomic_load(&counters->sampled_clock_ns)
                      ? lost_ns
                      : atomic_load(&counters->sampled_clock_ns);
        atomic_fetch_sub(&counters->sampled_clock_ns, lost_ns);
    }
}

static struct cprof_thread **place_of_tid(pid_t tid)
{
    uint32_t place = (uint32_t)tid * UINT32_C(2654435761) % TID_PLACES;

    while (threads_by_tid[place] && threads_by_tid[place]->tid != tid) {
        place = (place + 1) % TID_PLACES;
    }
    return &threads_by_tid[place];
}

/* Also forgets which ones were seen. A core's own registration comes before one that the ticker
 * made when it met the thread first, which then stays unseen. */
static void index_threads(void)
{
    memset(threads_by_tid, 0, sizeof(threads_by_tid));
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        struct cprof_thread **place = place_of_tid(thread->tid);

        thread->seen = false;
        if (!*place || thread->core >= 0) {
            *place = thread;
        }
    }
}

static void visit(pid_t tid, void *data)
{
    struct cprof_thread *thread;

    (void)data;
    if (tid == ticker.tid) {
        return;
    }
    thread = *place_of_tid(tid);
    if (!thread) {
        add_app_thread(tid);
        return;
    }
    thread->seen = true;
    look_at_thread(thread);
}

static void forget(struct cprof_thread *thread)
{
    ticker.app_threads -= thread->core < 0;
    cprof_thread_remove(thread);
}

static void remove_unseen(void)
{
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        if (!thread->seen) {
            disarm(thread);
            forget(thread);
        }
    }
}

/* Opening costs more than all else in a round, so the directory stays open for the window, if
 * the app cannot reach it. */
static bool scan(void)
{
    int directory = ticker.task_directory >= 0 ? ticker.task_directory : cprof_thread_scan_open();
    bool complete = cprof_thread_scan(directory, visit, NULL);

    if (ticker.has_own_descriptors) {
        ticker.task_directory = directory;
    } else {
        cprof_thread_scan_close(directory);
    }
    return complete;
}

static void look_at_threads(void)
{
    bool complete;

    index_threads();
    complete = scan();
    if (complete) {
        remove_unseen();
        return;
    }
    /* Without /proc the threads that registered themselves are all that is known. */
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        look_at_thread(thread);
    }
}

/* Threads of the app are forgotten between windows, so that no record can outlive its thread
 * unnoticed and be taken for another thread of the same id. */
static void disarm_all(void)
{
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        disarm(thread);
        atomic_store(&thread->tag_ref, CPROF_NO_REF);
        thread->looks = 0;
        if (thread->core < 0) {
            forget(thread);
        }
    }
}

/* --- windows ------------------------------------------------------------------------------ */

/* The signal is the app's if it wants it. Ticks would then call the app's handler, so there
 * shall be none. */
static bool signal_is_ours(void)
{
    if (cprof_oncpu_owns_signal()) {
        return true;
    }
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        disarm(thread);
    }
    if (!ticker.warned_of_taken_signal) {
        ticker.warned_of_taken_signal = true;
        cprof_log(CPROF_LOG_WARNING, "the application has taken SIGURG for itself: this process's "
                                     "CPU time is not seen while that lasts");
    }
    return false;
}

static void join_epoch(const struct cprof_window_demand *demand)
{
    struct cprof_slot *slot = ticker.mapping->slot;

    ticker.period_ns = demand->period_ns;
    cprof_recorder_begin(ticker.recorder, demand->epoch, ticker.incarnation);
    atomic_store(&slot->joined_epoch, demand->epoch);
    start_clocks();
    cprof_oncpu_open(demand->period_ns);
}

/* Nobody writes to the log any more when this returns, unless the process ends. */
static void leave_epoch(uint32_t epoch)
{
    cprof_oncpu_close();
    disarm_all();
    cprof_thread_scan_close(ticker.task_directory);
    ticker.task_directory = -1;
    publish_clocks();
    while (!cprof_oncpu_drained()) {
        sleep_ns((long)DRAIN_NS);
    }
    cprof_recorder_end(ticker.recorder);
    atomic_store(&ticker.mapping->slot->closed_epoch, epoch);
}

static uint32_t epoch_of_slot(void)
{
    return (uint32_t)(atomic_load(&ticker.mapping->slot->claim) >> 32);
}

/* How long to sleep until the next look: longer where looks are expensive. */
static uint64_t pause_ns(uint64_t look_ns, uint64_t rest_ns)
{
    uint64_t wanted_ns = look_ns * ROUND_COST_MAX;

    wanted_ns = wanted_ns > ROUND_NS ? wanted_ns : ROUND_NS;
    return wanted_ns < rest_ns ? wanted_ns : rest_ns;
}

static void sample_epoch(struct cprof_window_demand demand)
{
    const struct cprof_control *control = ticker.mapping->control;
    uint32_t epoch = demand.epoch;

    join_epoch(&demand);
    while (demand.kinds && cprof_guard_is_set()) {
        uint32_t doorbell = cprof_window_doorbell(control);
        uint64_t before_ns = read_clock_ns(CLOCK_THREAD_CPUTIME_ID), now_ns;

        if (signal_is_ours()) {
            look_at_threads();
        }
        publish_clocks();
        now_ns = cprof_now_ns();
        cprof_window_wait(control, doorbell,
                          pause_ns(read_clock_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns,
                                   demand.end_ns > now_ns ? demand.end_ns - now_ns : 0));
        cprof_window_read(control, cprof_now_ns(), epoch, &demand);
    }
    if (cprof_guard_is_set()) {
        leave_epoch(epoch);
    }
}

/* The app's descriptors are none of ours and ours none of its: a table of our own holds the
 * standard streams alone. Older kernels (before 5.9) and strict seccomp filters refuse; then
 * the table stays shared, and a descriptor is open only for the moment of a read. */
static bool leave_descriptor_table(void)
{
#ifdef SYS_close_range
    const unsigned unshare_first = 1u << 1; /* CLOSE_RANGE_UNSHARE, linux/close_range.h */

    return syscall(SYS_close_range, 3u, UINT_MAX, unshare_first) == 0;
#else
    return false;
#endif
}

static void *run(void *unused)
{
    const struct cprof_control *control = ticker.mapping->control;
    sigset_t blocked;

    (void)unused;
    ticker.tid = (pid_t)syscall(SYS_gettid);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    ticker.has_own_descriptors = leave_descriptor_table();
    ticker.task_directory = -1;
    while (cprof_guard_is_set()) {
        uint32_t doorbell = cprof_window_doorbell(control);
        uint32_t epoch = epoch_of_slot();
        struct cprof_window_demand demand;

        cprof_window_read(control, cprof_now_ns(), epoch, &demand);
        if (demand.kinds && atomic_load(&ticker.mapping->slot->closed_epoch) != epoch) {
            ticker.way = cprof_peek_choose(&blocked);
            sample_epoch(demand);
        } else {
            cprof_window_wait(control, doorbell, UINT64_MAX);
        }
    }
    return NULL;
}

static bool start_thread(struct cprof_error *error)
{
    pthread_attr_t attributes;
    sigset_t all_but_faults, standing;
    pthread_t thread;
    int failure;

    (void)sigfillset(&all_but_faults);
    (void)sigdelset(&all_but_faults, SIGSEGV);
    (void)sigdelset(&all_but_faults, SIGBUS);
    if (pthread_attr_init(&attributes) != 0) {
        return cprof_fail(error, "cannot start the ticker thread: out of memory");
    }
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_sigmask(SIG_SETMASK, &all_but_faults, &standing);
    failure = pthread_create(&thread, &attributes, run, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &standing, NULL);
    (void)pthread_attr_destroy(&attributes);
    if (failure) {
        return cprof_fail_errno(error, failure, "cannot start the ticker thread");
    }
    (void)pthread_setname_np(thread, "cprof-ticker");
    return true;
}

bool cprof_ticker_start(const struct cprof_slot_mapping *mapping, const struct cprof_python *python,
                        struct cprof_recorder *recorder, uint32_t incarnation, uint32_t core_count,
                        struct cprof_error *error)
{
    ticker.mapping = mapping;
    ticker.python = python;
    ticker.recorder = recorder;
    ticker.incarnation = incarnation;
    ticker.core_count = core_count;
    cprof_thread_scan_name((pid_t)syscall(SYS_gettid), ticker.process_name,
                           sizeof(ticker.process_name));
    return start_thread(error);
}

void cprof_ticker_leave(void)
{
    for (int i = 0; i < LEAVE_ROUNDS_MAX && atomic_load(&in_interpreter); i++) {
        sleep_ns(LEAVE_NS);
    }
}
