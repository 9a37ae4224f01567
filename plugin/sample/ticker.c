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
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../shared/base/kernel_clock.h"
#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"
#include "../ground/guard.h"
#include "../record/mappings.h"
#include "../tags/request_table.h"
#include "../tags/tag_sets.h"
#include "../tags/tags.h"
#include "../threads/c_stack.h"
#include "../threads/descriptors.h"
#include "agenda.h"
#include "cpu_waits.h"
#include "offcpu.h"
#include "oncpu.h"
#include "quiet.h"
#include "self_check.h"
#include "switches.h"
#include "thread_watch.h"

#define DRAIN_NS         UINT64_C(1000000) /* between two looks at handlers that are inside */
#define PATH_BYTES       512u
#define STACK_BYTES      (256 * 1024)
#define LEAVE_NS         1000000
#define LEAVE_ROUNDS_MAX 50

static struct {
    struct cprof_ticker_work work;
    bool has_own_descriptors;
    sigset_t blocked; /* in the ticker's thread */
    bool warned_of_taken_signal, warned_of_scopes;
    uint32_t scopes_left_out; /* as far as they are counted */
    uint32_t doorbell;        /* as it was before the windows were looked at */
    /* What the clocks and the slot's counters said when the epoch was joined. */
    uint64_t process_start_ns;
    uint64_t ticker_start_ns;
    uint64_t sampling_start_ns;
    uint64_t base[CPROF_COUNTER_COUNT];
    uint64_t settled_ns; /* as in the slot */
    struct cprof_agenda agenda;
} ticker;

static void sleep_ns(long ns)
{
    struct timespec pause = {.tv_nsec = ns};

    (void)nanosleep(&pause, NULL);
}

/* All clocks begin together, when the threads that are known are sampled: what the ticker waits
 * for a processor before or after that is no time that could not be sampled. */
static void start_clocks(uint64_t period_ns)
{
    _Atomic uint64_t *counters = ticker.work.mapping->slot->counters;

    for (unsigned i = 0; i < CPROF_COUNTER_COUNT; i++) {
        ticker.base[i] = atomic_load(&counters[i]);
    }
    cprof_thread_watch_start_clocks();
    ticker.process_start_ns = cprof_kernel_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    ticker.ticker_start_ns = cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    ticker.sampling_start_ns = cprof_now_ns();
    cprof_switches_begin(counters, period_ns);
    cprof_self_check_begin(counters);
}

static void publish_sampling_clock(void)
{
    atomic_store(&ticker.work.mapping->slot->counters[CPROF_COUNTER_SAMPLING_NS],
                 ticker.base[CPROF_COUNTER_SAMPLING_NS] + cprof_now_ns() -
                     ticker.sampling_start_ns);
}

/* The process's clock counts threads that have ended, too. */
static void publish_clocks(void)
{
    _Atomic uint64_t *counters = ticker.work.mapping->slot->counters;
    uint64_t own_ns = cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID) - ticker.ticker_start_ns;
    uint64_t process_ns = cprof_kernel_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - ticker.process_start_ns;

    cprof_switches_publish(counters);
    atomic_store(&counters[CPROF_COUNTER_TICKER_CPU_NS],
                 ticker.base[CPROF_COUNTER_TICKER_CPU_NS] + own_ns);
    atomic_store(&counters[CPROF_COUNTER_CPU_CLOCK_NS],
                 ticker.base[CPROF_COUNTER_CPU_CLOCK_NS] + process_ns - own_ns);
}

static void warn_of_taken_signal(void)
{
    uintptr_t handler = cprof_oncpu_standing_handler();
    char path[PATH_BYTES];

    if (!cprof_mappings_find(handler, path, sizeof(path))) {
        (void)snprintf(path, sizeof(path), "%s", handler ? "no file" : "nobody: it is reset");
    }
    cprof_log(CPROF_LOG_WARNING,
              "the application has taken SIGURG for itself (the handler is in %s): this process's "
              "CPU time is not seen while that lasts, and stands as [unsampled]",
              path);
}

/* The signal is the app's if it wants it. Ticks would then call the app's handler. */
static bool signal_is_ours(void)
{
    if (cprof_oncpu_owns_signal()) {
        return true;
    }
    if (!ticker.warned_of_taken_signal) {
        ticker.warned_of_taken_signal = true;
        warn_of_taken_signal();
    }
    return false;
}

/* Those of between windows count in the next one. */
static void publish_scopes_left_out(void)
{
    uint32_t left_out = cprof_tag_scopes_left_out();

    atomic_fetch_add(&ticker.work.mapping->slot->counters[CPROF_COUNTER_SCOPES_LEFT_OUT],
                     left_out - ticker.scopes_left_out);
    ticker.scopes_left_out = left_out;
    if (left_out > 0 && !ticker.warned_of_scopes) {
        ticker.warned_of_scopes = true;
        cprof_log(CPROF_LOG_WARNING,
                  "more than %u blocks with tags, or greenlets that serve requests, at once in "
                  "this process: samples of the others lack tags",
                  CPROF_TAG_SCOPES_MAX);
    }
}

static uint32_t epoch_of_slot(void)
{
    return (uint32_t)(atomic_load(&ticker.work.mapping->slot->claim) >> 32);
}

/* Returns the time for which it is true. */
static uint64_t read_demand(uint32_t epoch, struct cprof_window_demand *demand)
{
    const struct cprof_control *control = ticker.work.mapping->control;
    uint64_t now_ns;

    ticker.doorbell = cprof_window_doorbell(control);
    now_ns = cprof_now_ns();
    cprof_window_read(control, now_ns, epoch, demand);
    return now_ns;
}

/* Says in the slot that this process writes, then asks once more whether it may: the gateway
 * takes the windows back first and looks at the slot then, so that one of the two sees what the
 * other did, and no log is given back under its writer. */
static bool claim_epoch(struct cprof_window_demand *demand)
{
    struct cprof_slot *slot = ticker.work.mapping->slot;
    uint32_t epoch = demand->epoch;

    atomic_store(&slot->closed_epoch, epoch - 1);
    atomic_store(&slot->joined_epoch, epoch);
    (void)read_demand(epoch, demand);
    if (demand->kinds && epoch_of_slot() == epoch) {
        return true;
    }
    atomic_store(&slot->closed_epoch, epoch);
    return false;
}

/* What the process's part in the present epoch has cost until its clocks were published last. */
static struct cprof_ledger read_ledger(void)
{
    const _Atomic uint64_t *counters = ticker.work.mapping->slot->counters;
    uint64_t grown[CPROF_COUNTER_COUNT];
    struct cprof_ledger ledger;

    for (unsigned i = 0; i < CPROF_COUNTER_COUNT; i++) {
        grown[i] = atomic_load(&counters[i]) - ticker.base[i];
    }
    cprof_ledger_read(&ledger, grown);
    return ledger;
}

static void publish_settled(uint64_t now_ns)
{
    ticker.settled_ns = now_ns;
    atomic_store(&ticker.work.mapping->slot->settled_ns, now_ns);
}

static void join_epoch(const struct cprof_window_demand *demand)
{
    uint64_t now_ns = cprof_now_ns();

    cprof_tags_mark_requests(demand->requests_before_ns);
    cprof_descriptors_begin();
    cprof_offcpu_begin(ticker.has_own_descriptors);
    cprof_thread_watch_begin(demand->period_ns, cprof_peek_choose_lasting(&ticker.blocked));
    cprof_recorder_begin(ticker.work.recorder, demand->epoch, ticker.work.incarnation);
    cprof_mappings_begin(ticker.work.incarnation);
    publish_settled(now_ns);
    cprof_oncpu_open(demand->period_ns);
    (void)cprof_thread_watch_look(signal_is_ours());
    start_clocks(demand->period_ns);
    if (demand->kinds & CPROF_KIND_WALL) {
        cprof_offcpu_follow();
    }
}

/* Nobody writes to the log any more when this returns, unless the process ends. The clocks end
 * together, with the samples. What a handler reads of its thread stays until it is through. */
static void leave_epoch(uint32_t epoch)
{
    struct cprof_ledger ledger;

    cprof_thread_watch_follow_clocks();
    publish_clocks();
    publish_scopes_left_out();
    ledger = read_ledger();
    cprof_switches_end(&ledger, ticker.work.ceiling_hundredths);
    cprof_self_check_end(ticker.work.mapping->slot->counters, !ticker.warned_of_taken_signal);
    cprof_oncpu_close();
    while (!cprof_oncpu_drained()) {
        sleep_ns((long)DRAIN_NS);
    }
    cprof_tags_mark_requests(0);
    cprof_thread_watch_end();
    cprof_mappings_finish(ticker.work.recorder);
    cprof_recorder_end(ticker.work.recorder);
    atomic_store(&ticker.work.mapping->slot->closed_epoch, epoch);
}

/* Where there are no looks, a scan pays for waking up, too. */
static void scan(struct cprof_agenda *agenda, uint64_t now_ns)
{
    uint64_t before_ns =
        agenda->wants_wall ? cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID) : agenda->paid_ns;
    bool has_changed = cprof_thread_watch_look(signal_is_ours());
    struct cprof_ledger ledger;

    publish_sampling_clock();
    publish_clocks();
    if (agenda->wants_wall) {
        cprof_offcpu_follow();
    }
    cprof_mappings_look(ticker.work.recorder);
    ledger = read_ledger();
    cprof_agenda_note_scan(agenda, now_ns,
                           cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns, has_changed,
                           &ledger, ticker.work.ceiling_hundredths);
}

/* No thread was born, has ended or used anything since the last scan, so it would find nothing. */
static void scan_or_wait(struct cprof_agenda *agenda, uint64_t now_ns)
{
    if (!agenda->is_scanned) {
        scan(agenda, now_ns);
        return;
    }
    publish_sampling_clock();
    cprof_agenda_put_off_scan(agenda, now_ns, cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID));
}

static void note_look(struct cprof_agenda *agenda, uint64_t now_ns, bool moved)
{
    cprof_agenda_note_look(agenda, now_ns, cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID), moved,
                           !moved && !cprof_offcpu_may_be_waiting());
}

/* Where nothing ran since a look that found nothing moved, all stand still in the stacks that are
 * known. */
static void look_or_stay(struct cprof_agenda *agenda, uint64_t now_ns)
{
    uint64_t gap_mean_ns = cprof_agenda_gap_mean_ns(agenda, now_ns);

    if (!cprof_agenda_may_stay(agenda)) {
        note_look(agenda, now_ns, cprof_offcpu_look(gap_mean_ns));
    } else if (cprof_offcpu_stay(gap_mean_ns)) {
        note_look(agenda, now_ns, true);
    } else {
        cprof_agenda_note_stay(agenda, now_ns, cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID));
    }
}

static void name_sleeps(struct cprof_agenda *agenda)
{
    bool are_left = cprof_offcpu_name_sleeps();

    cprof_agenda_note_names(agenda, are_left ? cprof_now_ns() : 0, are_left);
}

static void note_others(struct cprof_agenda *agenda, uint64_t now_ns)
{
    bool is_asked = cprof_agenda_asks_for_others(agenda, now_ns);
    uint64_t threads = agenda->threads;

    if (cprof_agenda_asks_for_threads(agenda, now_ns)) {
        threads = cprof_thread_watch_count();
        cprof_agenda_note_threads(agenda, threads);
    }
    cprof_agenda_note_others(agenda, now_ns, is_asked,
                             !is_asked || cprof_quiet_have_others_run(threads));
}

/* Does what is due and returns until when there is nothing to do. */
static uint64_t work_off(struct cprof_agenda *agenda, const struct cprof_window_demand *demand,
                         uint64_t now_ns)
{
    if (demand->requests_before_ns) {
        cprof_request_table_update(demand->requests_before_ns);
    }
    note_others(agenda, now_ns);
    if (cprof_agenda_scan_is_due(agenda, now_ns)) {
        scan_or_wait(agenda, now_ns);
        now_ns = cprof_now_ns();
    }
    if (cprof_agenda_look_is_due(agenda, now_ns)) {
        look_or_stay(agenda, now_ns);
    }
    if (cprof_agenda_name_is_due(agenda, now_ns)) {
        name_sleeps(agenda);
    }
    return cprof_agenda_next_ns(agenda, demand->next_end_ns);
}

/* Has a window begun or ended? */
static bool has_changed(const struct cprof_window_demand *before,
                        const struct cprof_window_demand *after, uint64_t now_ns)
{
    return now_ns >= before->next_end_ns || after->last_start_ns > ticker.settled_ns ||
           after->kinds != before->kinds || after->period_ns != before->period_ns ||
           after->requests_before_ns != before->requests_before_ns;
}

static void change_period(uint64_t period_ns)
{
    cprof_thread_watch_set_period(period_ns);
    cprof_oncpu_open(period_ns);
}

/* Sleeping stacks of before have other marks than is asked for now. */
static void change_marks(uint64_t requests_before_ns)
{
    cprof_tags_mark_requests(requests_before_ns);
    cprof_offcpu_doubt();
}

/* A window begins or ends beside others: all that was used and slept until now is written down
 * for those that were open, so that the difference of two looks at the log is a window's own. */
static void settle(struct cprof_agenda *agenda, const struct cprof_window_demand *before,
                   const struct cprof_window_demand *after)
{
    bool had_wall = before->kinds & CPROF_KIND_WALL, wants_wall = after->kinds & CPROF_KIND_WALL;
    uint64_t now_ns = cprof_now_ns();

    if (after->last_start_ns > ticker.settled_ns || after->period_ns != before->period_ns) {
        cprof_agenda_restart(agenda, now_ns, after->period_ns);
    }
    if (had_wall) {
        note_look(agenda, now_ns, cprof_offcpu_look(0));
        cprof_offcpu_settle();
    }
    publish_sampling_clock();
    if (had_wall && !wants_wall) {
        cprof_offcpu_end();
    }
    if (after->period_ns != before->period_ns) {
        change_period(after->period_ns);
    }
    if (before->requests_before_ns) {
        cprof_request_table_update(before->requests_before_ns);
    }
    if (after->requests_before_ns != before->requests_before_ns) {
        change_marks(after->requests_before_ns);
    }
    cprof_mappings_look(ticker.work.recorder);
    cprof_thread_watch_follow_clocks();
    publish_clocks();
    publish_settled(now_ns);
    cprof_agenda_want_wall(agenda, wants_wall);
    if (wants_wall && !had_wall) {
        cprof_offcpu_follow();
    }
}

static void begin_agenda(struct cprof_agenda *agenda, const struct cprof_window_demand *demand,
                         uint64_t now_ns)
{
    uint64_t threads = cprof_thread_watch_count();

    cprof_agenda_begin(agenda, &(struct cprof_agenda_start){
                                   .now_ns = now_ns,
                                   .own_ns = cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID),
                                   .end_ns = demand->next_end_ns,
                                   .period_ns = demand->period_ns,
                                   .threads = threads,
                                   .wants_wall = demand->kinds & CPROF_KIND_WALL,
                                   .is_quiet = !cprof_quiet_have_others_run(threads),
                               });
}

/* Samples until no window of the epoch is open. Returns what the last ones collected. */
static uint32_t sample_windows(struct cprof_window_demand demand)
{
    const struct cprof_control *control = ticker.work.mapping->control;
    struct cprof_agenda *agenda = &ticker.agenda;
    struct cprof_window_demand before;
    uint64_t now_ns = cprof_now_ns(), next_ns;

    begin_agenda(agenda, &demand, now_ns);
    do {
        before = demand;
        next_ns = work_off(agenda, &demand, now_ns);
        if (agenda->wants_wall) {
            cprof_cpu_waits_rest(cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID));
        }
        cprof_window_wait(control, ticker.doorbell, next_ns);
        now_ns = read_demand(before.epoch, &demand);
        if (demand.kinds && has_changed(&before, &demand, now_ns)) {
            settle(agenda, &before, &demand);
            now_ns = cprof_now_ns();
        }
    } while (demand.kinds && cprof_guard_is_set());
    if (before.requests_before_ns) {
        cprof_request_table_update(before.requests_before_ns);
    }
    return before.kinds;
}

static void sample_epoch(struct cprof_window_demand demand)
{
    uint32_t epoch = demand.epoch, kinds;

    if (!claim_epoch(&demand)) {
        return;
    }
    join_epoch(&demand);
    kinds = sample_windows(demand);
    if (!cprof_guard_is_set()) {
        return;
    }
    if (kinds & CPROF_KIND_WALL) {
        (void)cprof_offcpu_look(0);
    }
    publish_sampling_clock();
    leave_epoch(epoch);
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
    const struct cprof_control *control = ticker.work.mapping->control;

    (void)unused;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &ticker.blocked);
    ticker.has_own_descriptors = leave_descriptor_table();
    cprof_thread_watch_enter(ticker.has_own_descriptors);
    while (cprof_guard_is_set()) {
        struct cprof_window_demand demand;

        (void)read_demand(epoch_of_slot(), &demand);
        if (demand.kinds) {
            sample_epoch(demand);
        } else {
            cprof_window_wait(control, ticker.doorbell, UINT64_MAX);
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
    cprof_c_stack_learn(thread);
    return true;
}

static void set_up_request_table(const struct cprof_ticker_work *work)
{
    const struct cprof_request_table_setup setup = {
        .entries = work->mapping->requests,
        .entry_count = work->mapping->request_count,
        .core_count = work->request_count,
        .incarnation = work->incarnation,
    };

    if (!cprof_request_table_setup(&setup, &work->requests)) {
        cprof_log(CPROF_LOG_WARNING, "no memory to name requests: dumps of stacks have none, and "
                                     "slow ones are not followed");
    }
}

bool cprof_ticker_start(const struct cprof_ticker_work *work, struct cprof_error *error)
{
    ticker.work = *work;
    cprof_thread_watch_setup(work->mapping->slot, work->python, work->recorder, work->core_count);
    cprof_offcpu_setup(work->mapping->slot, work->python, work->recorder, &work->requests,
                       &ticker.blocked);
    set_up_request_table(work);
    return start_thread(error);
}

void cprof_ticker_leave(void)
{
    for (int i = 0; i < LEAVE_ROUNDS_MAX && cprof_guard_is_reading(); i++) {
        sleep_ns(LEAVE_NS);
    }
}
