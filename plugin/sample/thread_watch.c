/* thread_watch.c - see thread_watch.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "thread_watch.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../shared/base/log.h"
#include "../ground/guard.h"
#include "../python/thread_state.h"
#include "../threads/c_stack.h"
#include "../threads/engine_perf.h"
#include "../threads/engine_timer.h"
#include "../threads/thread_scan.h"
#include "../threads/threads.h"
#include "offcpu.h"

/* A thread that has no thread state at its first looks rarely gets one. */
#define EAGER_LOOKS 5u
#define RARE_LOOKS  16u

/* Each costs a perf event, a timer and a look, one to ten times a second. */
#define APP_THREADS_MAX 512u

/* Records by thread id, for one look: open addressing, at most half full. */
#define TID_PLACES (2u * CPROF_THREADS_MAX)

static struct {
    struct cprof_slot *slot;
    const struct cprof_python *python;
    struct cprof_recorder *recorder;
    uint32_t core_count; /* that this process will have */
    pid_t ticker_tid;
    bool has_own_descriptors;
    char process_name[CPROF_THREAD_NAME_BYTES];
    /* Of the present window. */
    enum cprof_peek_way way;
    uint64_t period_ns;
    uint32_t app_threads;  /* that have a record now */
    uint32_t cores_listed; /* that had registered when the directory was last read */
    uint64_t stack_misses; /* that were counted when a timer was last found lost */
    int task_directory;    /* open, or -1 */
    bool warned_of_blocked_signal, warned_of_missing_proc, warned_of_missing_timer;
    bool warned_of_small_stack, warned_of_left_out;
} watch = {.task_directory = -1};

static struct cprof_thread *threads_by_tid[TID_PLACES];

/* The thread states of one look, listed when the first thread without one is met. */
static struct {
    bool ticks;        /* threads shall have them */
    bool is_done;      /* the threads that were known have been looked at */
    bool changed;      /* a thread was new or gone */
    uint32_t left_out; /* threads that have no record */
    bool listed;
    uint32_t count;
    struct cprof_thread_of_state states[CPROF_THREADS_MAX];
} of_look;

void cprof_thread_watch_setup(struct cprof_slot *slot, const struct cprof_python *python,
                              struct cprof_recorder *recorder, uint32_t core_count)
{
    watch.slot = slot;
    watch.python = python;
    watch.recorder = recorder;
    watch.core_count = core_count;
    watch.app_threads = 0;
    watch.task_directory = -1;
    cprof_thread_scan_name((pid_t)syscall(SYS_gettid), watch.process_name,
                           sizeof(watch.process_name));
}

void cprof_thread_watch_enter(bool has_own_descriptors)
{
    watch.ticker_tid = (pid_t)syscall(SYS_gettid);
    watch.has_own_descriptors = has_own_descriptors;
}

void cprof_thread_watch_begin(uint64_t period_ns, enum cprof_peek_way way)
{
    watch.period_ns = period_ns;
    watch.way = way;
    watch.stack_misses = 0;
}

void cprof_thread_watch_set_period(uint64_t period_ns)
{
    watch.period_ns = period_ns;
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        cprof_engine_perf_set_period(thread, period_ns);
    }
}

static void count_miss(enum cprof_miss miss, uint64_t weight_ns)
{
    _Atomic uint64_t *counters = watch.slot->counters;

    atomic_fetch_add(&counters[CPROF_COUNTER_MISSED + miss], 1);
    atomic_fetch_add(&counters[CPROF_COUNTER_MISSED_NS], weight_ns);
}

static uintptr_t state_of_tid(uint64_t tid)
{
    if (!of_look.listed) {
        of_look.count =
            cprof_list_states(watch.python, watch.way, of_look.states, CPROF_THREADS_MAX);
        of_look.listed = true;
    }
    for (uint32_t i = 0; i < of_look.count; i++) {
        if (of_look.states[i].tid == tid) {
            return of_look.states[i].state;
        }
    }
    return 0;
}

/* The state of the thread `tid`. It may have been freed and made anew for another thread since it
 * was listed: so it is asked again for its thread, after the words are kept by which it is
 * recognised. */
static bool find_own_state(uint64_t tid, struct cprof_remembered_state *own)
{
    bool found = false;

    if (cprof_guard_begin_reading()) {
        uintptr_t state = state_of_tid(tid);

        found = state && cprof_remember_state(watch.python, watch.way, state, own) &&
                cprof_tid_of_state(watch.python, watch.way, state) == tid;
    }
    cprof_guard_end_reading();
    return found;
}

/* Pairs a thread of the app with its thread state, once it has one. */
static void pair(struct cprof_thread *thread)
{
    bool had_state = atomic_load(&thread->has_state);
    struct cprof_remembered_state own;

    if (had_state ? thread->own.address != 0
                  : thread->looks > EAGER_LOOKS && thread->looks % RARE_LOOKS != 0) {
        return;
    }
    if (!find_own_state((uint64_t)thread->tid, &own)) {
        return;
    }
    thread->own = own;
    if (!had_state) { /* from then on it is the handler's */
        thread->remembered = own;
        atomic_store(&thread->has_state, 1);
    }
}

/* Names the thread in the log, unless it is named already. Where that fails, the next look tries
 * again. */
static void write_tags(struct cprof_thread *thread)
{
    struct cprof_context *context;

    if (atomic_load(&thread->tag_ref) != CPROF_NO_REF) {
        return;
    }
    context = cprof_context_acquire(watch.recorder);
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
    if (!watch.warned_of_blocked_signal) {
        watch.warned_of_blocked_signal = true;
        cprof_log(CPROF_LOG_WARNING,
                  "thread %d (%s) keeps SIGURG blocked: its CPU time is not seen", thread->tid,
                  thread->name);
    }
}

/* Time that was not sampled is no part of what was. */
static void take_back(uint64_t unsampled_ns)
{
    _Atomic uint64_t *sampled_ns = &watch.slot->counters[CPROF_COUNTER_SAMPLED_CLOCK_NS];
    uint64_t most_ns = atomic_load(sampled_ns);

    atomic_fetch_sub(sampled_ns, unsampled_ns < most_ns ? unsampled_ns : most_ns);
}

static void warn_of_small_stack(const struct cprof_thread *thread)
{
    if (!watch.warned_of_small_stack) {
        watch.warned_of_small_stack = true;
        cprof_log(CPROF_LOG_WARNING,
                  "thread %d (%s) has too small a stack for signal handlers (at least %u bytes and "
                  "the kernel's frame are needed): its CPU time is not seen",
                  thread->tid, thread->name, CPROF_HANDLER_STACK_BYTES);
    }
}

/* A thread whose stack, or alternate stack, has no room for the handler. */
static void check_left_out(struct cprof_thread *thread)
{
    uint64_t left_out_ns = atomic_exchange(&thread->left_out_ns, 0);

    if (left_out_ns) {
        take_back(left_out_ns);
        warn_of_small_stack(thread);
    }
}

/* Where next to nothing is left of a stack, its handler does not even say whose it is; but then it
 * does not arm the timer again either. */
static void check_tight_stack(const struct cprof_thread *thread)
{
    uint64_t misses = atomic_load(&watch.slot->counters[CPROF_COUNTER_MISSED + CPROF_MISS_STACK]);

    if (misses > watch.stack_misses) {
        warn_of_small_stack(thread);
    }
    watch.stack_misses = misses;
}

/* Its CPU clock; 0: it has ended. */
static uint64_t clock_of(const struct cprof_thread *thread)
{
    uint64_t now_ns;

    (void)cprof_engine_timer_clock(thread->tid, &now_ns);
    return now_ns;
}

/* Books what the thread, whose CPU clock stands at now_ns, has used since the last look. */
static void follow_clock(struct cprof_thread *thread, uint64_t now_ns)
{
    uint64_t used_ns = cprof_engine_timer_advance(thread, now_ns);

    atomic_fetch_add(&watch.slot->counters[CPROF_COUNTER_SAMPLED_CLOCK_NS], used_ns);
    if (thread->perf_descriptor >= 0) {
        atomic_fetch_add(&watch.slot->counters[CPROF_COUNTER_PERF_CLOCK_NS], used_ns);
    }
    check_left_out(thread);
    cprof_engine_perf_follow(thread, watch.period_ns, used_ns);
}

void cprof_thread_watch_start_clocks(void)
{
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        (void)cprof_engine_timer_advance(thread, clock_of(thread));
    }
}

void cprof_thread_watch_follow_clocks(void)
{
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        follow_clock(thread, clock_of(thread));
    }
}

static void warn_of_missing_timer(const struct cprof_thread *thread)
{
    if (!watch.warned_of_missing_timer) {
        watch.warned_of_missing_timer = true;
        cprof_log(CPROF_LOG_WARNING,
                  "thread %d (%s) gets no timer, RLIMIT_SIGPENDING is used up: its CPU time is "
                  "not seen",
                  thread->tid, thread->name);
    }
}

static void arm(struct cprof_thread *thread)
{
    _Atomic uint64_t *counters = watch.slot->counters;

    write_tags(thread);
    if (!of_look.ticks) {
        return;
    }
    if (!cprof_engine_perf_arm(thread, watch.period_ns) && errno != ESRCH && /* it has not ended */
        !cprof_engine_perf_is_given_up()) {
        atomic_fetch_add(&counters[CPROF_COUNTER_PERF_REFUSED], 1);
    }
    if (!cprof_engine_timer_arm(thread, watch.period_ns)) {
        if (errno == EAGAIN) {
            warn_of_missing_timer(thread);
        }
        cprof_engine_perf_disarm(thread);
        return;
    }
    thread->signal_blocked = false;
    atomic_fetch_add(&counters[CPROF_COUNTER_THREADS_SEEN], 1);
}

static void silence(struct cprof_thread *thread)
{
    cprof_engine_perf_disarm(thread);
    cprof_engine_timer_disarm(thread);
}

static void disarm(struct cprof_thread *thread)
{
    follow_clock(thread, clock_of(thread));
    silence(thread);
}

/* A thread of the app: named by its comm where it has one of its own. While cores are still
 * missing it may be one of them that has not registered yet, so it is armed one look later: by
 * then it has registered, and this record is removed as unseen. */
static void add_app_thread(pid_t tid)
{
    struct cprof_thread *thread =
        watch.app_threads < APP_THREADS_MAX ? cprof_thread_add(tid) : NULL;
    char name[CPROF_THREAD_NAME_BYTES];

    if (!thread) {
        of_look.left_out++; /* its CPU time will be [unsampled] */
        return;
    }
    watch.app_threads++;
    of_look.changed = true;
    cprof_thread_scan_name(tid, name, sizeof(name));
    (void)snprintf(thread->name, sizeof(thread->name), "%s",
                   name[0] == '\0' || strcmp(name, watch.process_name) == 0 ? "app" : name);
    cprof_thread_publish(thread);
    if (cprof_thread_core_count() >= watch.core_count) {
        pair(thread);
        arm(thread);
    }
}

/* Returns whether the thread lives. */
static bool look_at_thread(struct cprof_thread *thread)
{
    uint64_t now_ns = clock_of(thread), lost_ns;

    if (now_ns == 0) {
        return false;
    }
    thread->looks++;
    pair(thread);
    if (!thread->armed) {
        arm(thread);
        return true;
    }
    write_tags(thread);
    follow_clock(thread, now_ns);
    lost_ns = cprof_engine_timer_revive(thread, watch.period_ns);
    if (lost_ns) {
        count_miss(CPROF_MISS_LOST, 0);
        check_blocked_signal(thread);
        check_tight_stack(thread);
        take_back(lost_ns);
    }
    return true;
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
    if (tid == watch.ticker_tid) {
        return;
    }
    thread = *place_of_tid(tid);
    if (!thread) {
        add_app_thread(tid);
        return;
    }
    thread->seen = true;
    if (!of_look.is_done) {
        (void)look_at_thread(thread);
    }
}

static void forget(struct cprof_thread *thread)
{
    watch.app_threads -= thread->core < 0;
    cprof_offcpu_forget(thread);
    cprof_thread_remove(thread);
}

/* A directory that is read while threads end may leave out living ones (proc_task_readdir in
 * fs/proc/base.c goes on by position when the thread where it stood is gone). */
static bool is_gone(struct cprof_thread *thread)
{
    uint64_t cpu_ns;

    return *place_of_tid(thread->tid) != thread || !cprof_engine_timer_clock(thread->tid, &cpu_ns);
}

static void remove_gone(void)
{
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        if (!thread->seen && is_gone(thread)) {
            disarm(thread);
            forget(thread);
            of_look.changed = true;
        }
    }
}

/* Opening costs more than all else in a round, so the directory stays open for the window, if
 * the app cannot reach it. */
static bool scan(void)
{
    int directory = watch.task_directory >= 0 ? watch.task_directory : cprof_thread_scan_open();
    bool complete = cprof_thread_scan(directory, visit, NULL);

    if (watch.has_own_descriptors) {
        watch.task_directory = directory;
    } else {
        cprof_thread_scan_close(directory);
    }
    return complete;
}

/* What the window lacks is the most that any of its looks has met. */
static void report_left_out(void)
{
    _Atomic uint64_t *counter = &watch.slot->counters[CPROF_COUNTER_THREADS_LEFT_OUT];

    if (of_look.left_out > atomic_load(counter)) {
        atomic_store(counter, of_look.left_out);
    }
    if (of_look.left_out && !watch.warned_of_left_out) {
        watch.warned_of_left_out = true;
        cprof_log(CPROF_LOG_WARNING,
                  "more than %u threads of the app in this process: %u are not followed; wall "
                  "profiles lack them, and their CPU time stands as [unsampled]",
                  APP_THREADS_MAX, of_look.left_out);
    }
}

static void disarm_all(void)
{
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        disarm(thread);
    }
}

uint64_t cprof_thread_watch_count(void)
{
    if (watch.has_own_descriptors && watch.task_directory < 0) {
        watch.task_directory = cprof_thread_scan_open();
    }
    return cprof_thread_scan_count(watch.task_directory);
}

/* Does the process have as many threads as are known, with the ticker? They are these if each one
 * lives, and then the directory has nothing to show. Two records are of one thread where a core has
 * registered since the directory was read. */
static bool are_as_many_as_known(void)
{
    uint64_t known = 1;

    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        known++;
    }
    return watch.cores_listed == cprof_thread_core_count() && known == cprof_thread_watch_count();
}

/* Returns whether all of them live. */
static bool look_at_known_threads(void)
{
    bool all_live = true;

    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        all_live &= look_at_thread(thread);
    }
    return all_live;
}

bool cprof_thread_watch_look(bool ticks)
{
    uint32_t cores;
    bool complete;

    of_look.ticks = ticks;
    of_look.changed = false;
    of_look.listed = false;
    of_look.left_out = 0;
    if (!ticks) {
        disarm_all();
    }
    of_look.is_done = are_as_many_as_known();
    if (of_look.is_done && look_at_known_threads()) {
        return false;
    }
    index_threads();
    cores = cprof_thread_core_count();
    complete = scan();
    report_left_out();
    if (complete) {
        watch.cores_listed = cores;
        remove_gone();
        return of_look.changed;
    }
    if (!watch.warned_of_missing_proc) {
        watch.warned_of_missing_proc = true;
        cprof_log(
            CPROF_LOG_WARNING,
            "/proc/self/task does not show this process's threads (a chroot or a process "
            "namespace without a /proc of its own?): threads of the app are not seen, and wall "
            "profiles show no thread that sleeps");
    }
    /* Without /proc the threads that registered themselves are all that is known. */
    if (!of_look.is_done) {
        (void)look_at_known_threads();
    }
    return of_look.changed;
}

/* Threads of the app are forgotten between windows, so that no record can outlive its thread
 * unnoticed and be taken for another thread of the same id. */
void cprof_thread_watch_end(void)
{
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        silence(thread);
        cprof_offcpu_forget(thread);
        atomic_store(&thread->tag_ref, CPROF_NO_REF);
        thread->looks = 0;
        if (thread->core < 0) {
            forget(thread);
        }
    }
    cprof_thread_scan_close(watch.task_directory);
    watch.task_directory = -1;
}
