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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../shared/base/kernel_clock.h"
#include "../../shared/base/log.h"
#include "../../shared/base/random.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"
#include "../ground/guard.h"
#include "../record/mappings.h"
#include "../tags/request_table.h"
#include "../tags/tag_sets.h"
#include "../tags/tags.h"
#include "../threads/c_stack.h"
#include "../threads/descriptors.h"
#include "offcpu.h"
#include "oncpu.h"
#include "pace.h"
#include "self_check.h"
#include "switches.h"
#include "thread_watch.h"

#define ROUND_NS         UINT64_C(100000000) /* between two looks at the threads in a window */
#define NAME_NS          UINT64_C(500000) /* between two questions for what an unnamed sleep is */
#define RESTLESS_NS      UINT64_C(5000000000) /* threads come and go if one did in this time */
#define DRAIN_NS         UINT64_C(1000000)    /* between two looks at handlers that are inside */
#define ROUNDED_NS       UINT64_C(2000) /* what getrusage cuts off: two times, in microseconds */
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
    uint64_t settled_ns;  /* as in the slot */
    uint64_t restless_ns; /* until when threads are taken to come and go */
    /* Of the others, when they were last known to have run. */
    uint64_t ran_ns;   /* their CPU time, at most, */
    uint64_t switches; /* and how often they had left a processor, */
    uint64_t threads;  /* and how many there were; UINT64_MAX: not known */
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

/* What the kernel has counted of a thread, or of all of them. */
struct usage {
    uint64_t cpu_ns;
    uint64_t switches; /* how often a processor was left */
};

static uint64_t of_time(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_usec * NS_PER_US;
}

static struct usage usage_of(int who)
{
    struct rusage usage = {0};

    (void)getrusage(who, &usage);
    return (struct usage){
        .cpu_ns = of_time(&usage.ru_utime) + of_time(&usage.ru_stime),
        .switches = (uint64_t)usage.ru_nvcsw + (uint64_t)usage.ru_nivcsw,
    };
}

/* A directory of threads has two links, and one more for each. */
static uint64_t count_threads(void)
{
    struct stat directory;

    return stat("/proc/self/task", &directory) == 0 ? directory.st_nlink : UINT64_MAX;
}

/* Has any thread but the ticker run since this was last asked? One that ran and sleeps again has
 * left its processor, and that is counted, however little it used; one that has ended is missing.
 * One that runs now is noticed by its CPU time, which is in the process's sum only up to the
 * kernel's last tick on its processor: until then it is taken for asleep, and the next look puts
 * right what was booked.
 *
 * The figures are not read at the same instant. The others have used at least what the process had
 * less what the ticker has behind that, and at most the same with what it had before; what is too
 * little to tell adds up. Their switches are known if the ticker was not switched meanwhile. */
static bool have_others_run(void)
{
    struct usage before = usage_of(RUSAGE_THREAD), all = usage_of(RUSAGE_SELF);
    struct usage behind = usage_of(RUSAGE_THREAD);
    bool is_exact = before.switches == behind.switches;
    uint64_t switches = is_exact ? all.switches - behind.switches : UINT64_MAX;
    uint64_t threads = count_threads(), at_most_ns = all.cpu_ns + ROUNDED_NS - before.cpu_ns;

    if (switches == ticker.switches && threads == ticker.threads && switches != UINT64_MAX &&
        threads != UINT64_MAX && all.cpu_ns <= ticker.ran_ns + behind.cpu_ns + ROUNDED_NS) {
        ticker.ran_ns = at_most_ns < ticker.ran_ns ? at_most_ns : ticker.ran_ns;
        return false;
    }
    ticker.switches = switches;
    ticker.threads = threads;
    ticker.ran_ns = at_most_ns;
    return true;
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

static void read_demand(uint32_t epoch, struct cprof_window_demand *demand)
{
    const struct cprof_control *control = ticker.work.mapping->control;

    ticker.doorbell = cprof_window_doorbell(control);
    cprof_window_read(control, cprof_now_ns(), epoch, demand);
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
    read_demand(epoch, demand);
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

/* When what is due next, in a window. */
struct agenda {
    uint64_t scan_ns;      /* the threads and their clocks */
    uint64_t scan_pays_ns; /* from when on the next scan costs no more than it may, */
    uint64_t scan_lazy_ns; /* and than it should where threads do not come and go */
    uint64_t threads;      /* as ticker.threads, at the last scan */
    uint64_t look_ns;      /* sleeping threads */
    uint64_t name_ns;  /* what they sleep in, if the last look could not tell; UINT64_MAX: never */
    uint64_t ran_ns;   /* when something had run, at the latest */
    bool is_known;     /* nothing ran since a look that found nothing moved, */
    bool is_scanned;   /* or since the last scan */
    uint64_t paid_ns;  /* the ticker's CPU time that is no part of the next look's cost */
    uint64_t scans_ns; /* its CPU time in all scans so far */
    uint64_t look_parts; /* cprof_pace_look_parts() */
    struct cprof_pace pace;
};

/* Their number tells at once, but as many may come as go. */
static uint64_t next_scan_ns(const struct agenda *agenda, uint64_t now_ns)
{
    bool is_restless = ticker.threads != agenda->threads || now_ns < ticker.restless_ns;

    return is_restless ? agenda->scan_pays_ns : agenda->scan_lazy_ns;
}

static void note_whether_others_ran(struct agenda *agenda, uint64_t now_ns)
{
    if (have_others_run()) {
        agenda->ran_ns = now_ns;
        agenda->is_known = agenda->is_scanned = false;
        agenda->scan_ns = next_scan_ns(agenda, now_ns);
    }
}

/* Anywhere around the mean: perf events begin another step at a scan, and must not do so in step
 * with the app. */
static uint64_t later(struct agenda *agenda, uint64_t now_ns, uint64_t pause_ns)
{
    return now_ns + pause_ns * 3 / 4 + cprof_random_below(&agenda->pace.random, pause_ns / 2);
}

static void plan_scan(struct agenda *agenda, uint64_t now_ns, uint64_t cost_ns)
{
    uint32_t ceiling_hundredths = ticker.work.ceiling_hundredths;
    struct cprof_ledger ledger = read_ledger();

    agenda->threads = ticker.threads;
    agenda->look_parts = cprof_pace_look_parts(&ledger, ceiling_hundredths, agenda->scans_ns);
    agenda->scan_pays_ns =
        later(agenda, now_ns, cprof_pace_scan_ns(&ledger, ceiling_hundredths, cost_ns, ROUND_NS));
    agenda->scan_lazy_ns = later(
        agenda, now_ns, cprof_pace_lazy_scan_ns(&ledger, ceiling_hundredths, cost_ns, ROUND_NS));
    agenda->scan_ns = next_scan_ns(agenda, now_ns);
}

/* Where there are no looks, a scan pays for waking up, too. */
static void scan(struct agenda *agenda, bool wants_wall, uint64_t now_ns)
{
    uint64_t before_ns =
        wants_wall ? cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID) : agenda->paid_ns;
    uint64_t cost_ns;

    if (cprof_thread_watch_look(signal_is_ours())) {
        ticker.restless_ns = now_ns + RESTLESS_NS;
    }
    publish_sampling_clock();
    publish_clocks();
    if (wants_wall) {
        cprof_offcpu_follow();
    }
    cprof_mappings_look(ticker.work.recorder);
    cost_ns = cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns;
    agenda->is_scanned = true;
    agenda->paid_ns += cost_ns;
    agenda->scans_ns += cost_ns;
    plan_scan(agenda, now_ns, cost_ns);
}

/* No thread was born, has ended or used anything since the last scan, so it would find nothing.
 * What it costs to find that out again and again is not to put off the scan that comes at last. */
static void put_off_scan(struct agenda *agenda, bool wants_wall, uint64_t now_ns)
{
    publish_sampling_clock();
    if (!wants_wall) {
        uint64_t own_ns = cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID);

        agenda->scans_ns += own_ns - agenda->paid_ns;
        agenda->paid_ns = own_ns;
    }
    agenda->scan_ns = now_ns + cprof_pace_idle_ns(now_ns - agenda->ran_ns, ROUND_NS);
}

static void scan_or_wait(struct agenda *agenda, bool wants_wall, uint64_t now_ns)
{
    if (agenda->is_scanned) {
        put_off_scan(agenda, wants_wall, now_ns);
    } else {
        scan(agenda, wants_wall, now_ns);
    }
}

/* A scan waits for a look that comes soon, or at all where nothing runs: one waking does for both,
 * and is dearer than what is done then. A scan is only put off, so that it never comes before it is
 * paid for. */
static uint64_t scan_due_ns(const struct agenda *agenda, bool wants_wall)
{
    bool is_quiet = agenda->is_scanned && agenda->is_known;
    uint64_t latest_ns = agenda->scan_ns + (is_quiet ? CPROF_PACE_IDLE_MAX_NS : ROUND_NS / 2);

    if (!wants_wall || agenda->look_ns < agenda->scan_ns) {
        return agenda->scan_ns;
    }
    return agenda->look_ns < latest_ns ? agenda->look_ns : latest_ns;
}

/* When there is something to do, at the latest. */
static uint64_t next_due_ns(const struct agenda *agenda, bool wants_wall, uint64_t end_ns)
{
    uint64_t due_ns[] = {scan_due_ns(agenda, wants_wall), wants_wall ? agenda->look_ns : end_ns,
                         wants_wall ? agenda->name_ns : end_ns};

    for (size_t i = 0; i < sizeof(due_ns) / sizeof(due_ns[0]); i++) {
        end_ns = due_ns[i] < end_ns ? due_ns[i] : end_ns;
    }
    return end_ns;
}

/* How long gaps like the last one are on average. A look that comes late stands for that much
 * more. */
static uint64_t mean_gap_ns(const struct agenda *agenda, uint64_t now_ns)
{
    return agenda->pace.mean_ns + (agenda->look_ns ? now_ns - agenda->look_ns : 0);
}

/* The cost is all that the ticker has used since the last look, without scans: waking up, too. */
static void plan_look(struct agenda *agenda, uint64_t now_ns, bool moved)
{
    uint64_t own_ns = cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID);

    agenda->look_ns = now_ns + cprof_pace_next(&agenda->pace, moved, own_ns - agenda->paid_ns,
                                               agenda->look_parts);
    agenda->paid_ns = own_ns;
}

static void note_look(struct agenda *agenda, uint64_t now_ns, bool moved)
{
    plan_look(agenda, now_ns, moved);
    agenda->is_known = !moved && !cprof_offcpu_may_be_waiting();
    agenda->name_ns = 0;
}

static void look_at_sleepers(struct agenda *agenda, uint64_t now_ns, uint64_t gap_mean_ns)
{
    note_look(agenda, now_ns, cprof_offcpu_look(gap_mean_ns));
}

/* Where nothing ran since a look that found nothing moved, all stand still in the stacks that are
 * known. */
static void look_or_stay(struct agenda *agenda, uint64_t now_ns)
{
    uint64_t gap_mean_ns = mean_gap_ns(agenda, now_ns);

    if (!agenda->is_known || agenda->name_ns != UINT64_MAX) {
        look_at_sleepers(agenda, now_ns, gap_mean_ns);
    } else if (cprof_offcpu_stay(gap_mean_ns)) {
        note_look(agenda, now_ns, true);
    } else {
        plan_look(agenda, now_ns, false);
    }
}

static void name_sleeps(struct agenda *agenda)
{
    agenda->name_ns = cprof_offcpu_name_sleeps() ? cprof_now_ns() + NAME_NS : UINT64_MAX;
}

/* Does what is due and returns how long there is nothing to do. */
static uint64_t work_off(struct agenda *agenda, const struct cprof_window_demand *demand)
{
    bool wants_wall = demand->kinds & CPROF_KIND_WALL;
    uint64_t now_ns = cprof_now_ns(), next_ns;

    if (demand->requests_before_ns) {
        cprof_request_table_update(demand->requests_before_ns);
    }
    note_whether_others_ran(agenda, now_ns);
    if (now_ns >= scan_due_ns(agenda, wants_wall)) {
        scan_or_wait(agenda, wants_wall, now_ns);
    }
    if (wants_wall && now_ns >= agenda->look_ns) {
        now_ns = cprof_now_ns();
        look_or_stay(agenda, now_ns);
    }
    if (wants_wall && now_ns >= agenda->name_ns) {
        name_sleeps(agenda);
    }
    next_ns = next_due_ns(agenda, wants_wall, demand->next_end_ns);
    now_ns = cprof_now_ns();
    return next_ns > now_ns ? next_ns - now_ns : 0;
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
static void settle(struct agenda *agenda, const struct cprof_window_demand *before,
                   const struct cprof_window_demand *after)
{
    bool had_wall = before->kinds & CPROF_KIND_WALL, wants_wall = after->kinds & CPROF_KIND_WALL;
    uint64_t now_ns = cprof_now_ns();

    /* A window may be short: its looks begin a period apart, however rare they had become. */
    if (after->last_start_ns > ticker.settled_ns || after->period_ns != before->period_ns) {
        cprof_pace_begin(&agenda->pace, after->period_ns, now_ns);
    }
    if (had_wall) {
        look_at_sleepers(agenda, now_ns, 0);
        cprof_offcpu_settle();
    }
    publish_sampling_clock();
    if (had_wall && !wants_wall) {
        cprof_offcpu_end();
        agenda->name_ns = UINT64_MAX;
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
    agenda->is_known = false;
    if (wants_wall && !had_wall) {
        cprof_offcpu_follow();
        agenda->look_ns = 0;
    }
}

/* Samples until no window of the epoch is open. Returns what the last ones collected. */
static uint32_t sample_windows(struct cprof_window_demand demand)
{
    const struct cprof_control *control = ticker.work.mapping->control;
    struct cprof_window_demand before;
    uint64_t now_ns = cprof_now_ns();
    struct agenda agenda = {
        .scan_ns = now_ns + ROUND_NS,
        .scan_pays_ns = now_ns + ROUND_NS,
        .scan_lazy_ns = now_ns + ROUND_NS,
        .threads = ticker.threads,
        .name_ns = UINT64_MAX,
        .ran_ns = now_ns,
        .paid_ns = cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID),
        .look_parts = CPROF_PACE_LOOK_PARTS_MIN,
    };
    uint64_t pause_ns;

    cprof_pace_begin(&agenda.pace, demand.period_ns, now_ns);
    do {
        before = demand;
        pause_ns = work_off(&agenda, &demand);
        cprof_offcpu_rest(cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID));
        cprof_window_wait(control, ticker.doorbell, pause_ns);
        read_demand(before.epoch, &demand);
        if (demand.kinds && has_changed(&before, &demand, cprof_now_ns())) {
            settle(&agenda, &before, &demand);
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

        read_demand(epoch_of_slot(), &demand);
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

bool cprof_ticker_start(const struct cprof_ticker_work *work, struct cprof_error *error)
{
    ticker.work = *work;
    cprof_thread_watch_setup(work->mapping->slot, work->python, work->recorder, work->core_count);
    cprof_offcpu_setup(work->mapping->slot, work->python, work->recorder, &work->requests,
                       &ticker.blocked);
    cprof_request_table_setup(work->mapping->requests, &work->requests, work->request_count,
                              work->incarnation);
    return start_thread(error);
}

void cprof_ticker_leave(void)
{
    for (int i = 0; i < LEAVE_ROUNDS_MAX && cprof_guard_is_reading(); i++) {
        sleep_ns(LEAVE_NS);
    }
}
