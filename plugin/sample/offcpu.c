/* offcpu.c - see offcpu.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "offcpu.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../shared/base/kernel_clock.h"
#include "../../shared/segment/window.h"
#include "../ground/guard.h"
#include "../python/gil_state.h"
#include "../python/gil_wait.h"
#include "../python/innermost.h"
#include "../python/peek.h"
#include "../python/walker.h"
#include "../tags/tags.h"
#include "../threads/engine_timer.h"
#include "greenlets.h"
#include "parked.h"
#include "sleep_state.h"

/* Questions in a row that named no sleep before they are given up for the window: a kernel may
 * never say. */
#define VAIN_QUESTIONS_MAX 1000u

/* A thread that has waited for a CPU for less than one part in so many of its time is not asked
 * whether it does, while its clock stands still. */
#define WAIT_PART_MIN 64u

/* Looks in a row that ask; then the 8th, the 16th, the 32nd ... */
#define ASKING_LOOKS 4u

#define THREADS_AT_ONCE 16u

static struct {
    struct cprof_slot *slot;
    const struct cprof_python *python;
    struct cprof_recorder *recorder;
    struct cprof_request_view requests;
    const sigset_t *blocked;
    enum cprof_peek_way lasting_way;
    uint32_t vain_questions;
    bool sees_waits;        /* a thread that stands still without being asleep waits for a CPU */
    bool has_one_processor; /* on which the ticker runs, too */
    bool may_be_waiting;    /* some thread, at the last look or soon after it */
    uint64_t rest_cpu_ns;   /* the ticker's CPU clock when it went to sleep last */
} offcpu;

void cprof_offcpu_setup(struct cprof_slot *slot, const struct cprof_python *python,
                        struct cprof_recorder *recorder, const struct cprof_request_view *requests,
                        const sigset_t *blocked)
{
    offcpu.slot = slot;
    offcpu.python = python;
    offcpu.recorder = recorder;
    offcpu.requests = *requests;
    offcpu.blocked = blocked;
}

/* Where CPU clocks move by ticks (gVisor) a thread that runs seems to stand still. The ticker's own
 * clock tells: it moves from one reading to the next, or it does not. */
static bool clocks_are_fine(void)
{
    uint64_t first_ns = cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    uint64_t second_ns = cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID);

    return first_ns < second_ns && second_ns < cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static bool may_use_one_processor(void)
{
    cpu_set_t processors;

    return sched_getaffinity(0, sizeof(processors), &processors) == 0 &&
           CPU_COUNT(&processors) == 1;
}

void cprof_offcpu_begin(bool keeps_files)
{
    cprof_sleep_state_begin(keeps_files);
    offcpu.sees_waits = clocks_are_fine();
    offcpu.has_one_processor = may_use_one_processor();
    offcpu.vain_questions = 0;
    offcpu.lasting_way = cprof_peek_choose_lasting(offcpu.blocked);
}

static _Atomic uint64_t *counters_of_slot(void)
{
    return offcpu.slot->counters;
}

/* Books time that the thread spent asleep in the stack that it is known to be in. */
static void book_due(struct cprof_thread *thread)
{
    struct cprof_sleep *sleep = &thread->sleep;

    if (sleep->due_ns <= 0) {
        return;
    }
    (void)cprof_record_add(offcpu.recorder, sleep->ref, sleep->due_ns, 1);
    atomic_fetch_add(&counters_of_slot()[CPROF_COUNTER_OFF_CPU_LOOKS], 1);
    atomic_fetch_add(&counters_of_slot()[CPROF_COUNTER_OFF_CPU_WEIGHT_NS], (uint64_t)sleep->due_ns);
    if (sleep->is_unnamed) {
        sleep->unnamed_ns += sleep->due_ns;
        sleep->unnamed_looks++;
    }
    sleep->due_ns = 0;
}

/* Moves the clocks on; what is left when CPU time is taken off is due. Returns CPU time used. */
static uint64_t advance(struct cprof_sleep *sleep, uint64_t now_ns, uint64_t cpu_ns)
{
    uint64_t wall_ns = now_ns - sleep->wall_seen_ns, used_ns = cpu_ns - sleep->cpu_seen_ns;

    sleep->wall_seen_ns = now_ns;
    sleep->cpu_seen_ns = cpu_ns;
    sleep->followed_ns += wall_ns;
    sleep->due_ns += (int64_t)wall_ns - (int64_t)used_ns;
    atomic_fetch_add(&counters_of_slot()[CPROF_COUNTER_WALL_CLOCK_NS], wall_ns);
    return used_ns;
}

/* The record in which the thread's run-queue time is summed up. */
static uint32_t find_runnable(struct cprof_thread *thread)
{
    struct cprof_context *context = cprof_context_acquire(offcpu.recorder);
    struct cprof_sample sample = {
        .tag_ref = atomic_load(&thread->tag_ref),
        .kind = CPROF_STACK_RUNNABLE,
    };
    uint32_t ref = CPROF_NO_REF;

    if (context) {
        (void)cprof_record_find(offcpu.recorder, context, &sample, &ref);
        cprof_context_release(context);
    }
    return ref;
}

/* Takes run-queue time off what is due. False: the log is full, and it stays with the sleeping
 * stacks. */
static bool book_run_queue(struct cprof_thread *thread, uint64_t waited_ns)
{
    struct cprof_sleep *sleep = &thread->sleep;

    if (sleep->runnable_ref == CPROF_NO_REF) {
        sleep->runnable_ref = find_runnable(thread);
    }
    if (sleep->runnable_ref == CPROF_NO_REF) {
        return false;
    }
    sleep->due_ns -= (int64_t)waited_ns;
    (void)cprof_record_add(offcpu.recorder, sleep->runnable_ref, (int64_t)waited_ns, 1);
    atomic_fetch_add(&counters_of_slot()[CPROF_COUNTER_RUNNABLE_NS], waited_ns);
    return true;
}

/* Run-queue time is neither sleep nor CPU time. The kernel adds it up when a wait ends, so that a
 * look may find more of it than time has passed: what is due becomes negative then, and the next
 * looks make up for it. */
static void take_run_queue_time(struct cprof_thread *thread)
{
    struct cprof_sleep *sleep = &thread->sleep;
    uint64_t total_ns, waited_ns;

    if (!cprof_sleep_run_queue(thread, &total_ns) || total_ns <= sleep->run_queue_seen_ns) {
        return;
    }
    waited_ns = total_ns - sleep->run_queue_seen_ns;
    sleep->run_queue_seen_ns = total_ns;
    sleep->waited_ns += waited_ns;
    (void)book_run_queue(thread, waited_ns);
}

/* The thread waits for a CPU in the stack of queued_ref, as a look of this weight has found. One
 * that the ticker itself may have pushed aside counts only where no other says anything. */
static void book_wait(const struct cprof_sleep *sleep, uint64_t weight_ns)
{
    if (sleep->is_pushed_aside) {
        weight_ns = 1;
    } else {
        atomic_fetch_add(&counters_of_slot()[CPROF_COUNTER_RUNNABLE_LOOKS], 1);
    }
    cprof_record_add_wait(offcpu.recorder, sleep->queued_ref, weight_ns);
}

/* The thread still waits, and the kernel will account for it when that ends: too late for what is
 * written down now. The account is told in advance. */
static void book_pending_wait(struct cprof_thread *thread)
{
    struct cprof_sleep *sleep = &thread->sleep;
    uint64_t due_ns = sleep->due_ns > 0 ? (uint64_t)sleep->due_ns : 0;
    uint64_t pending_ns = due_ns < sleep->queued_ns ? due_ns : sleep->queued_ns;

    if (sleep->is_known && sleep->is_queued && pending_ns > 0 &&
        book_run_queue(thread, pending_ns)) {
        sleep->run_queue_seen_ns += pending_ns;
        sleep->queued_ns = 0;
    }
}

/* The thread's own state. A core keeps it as long as it lives; a C thread of the app's may have
 * left Python and freed it, which is asked in a way that no bad address can harm: then 0, and the
 * next scan looks for its new state. */
static uintptr_t own_state(struct cprof_thread *thread)
{
    if (thread->core >= 0 ||
        cprof_state_is_still(offcpu.python, offcpu.lasting_way, &thread->own)) {
        return thread->own.address;
    }
    thread->own = (struct cprof_remembered_state){0};
    return 0;
}

static bool walk_state(uintptr_t state, const struct cprof_sleep_state *seen,
                       struct cprof_context *context, struct cprof_sample *sample)
{
    bool truncated = false;

    sample->depth = 0;
    sample->gil = CPROF_GIL_UNKNOWN;
    if (!state) {
        return true;
    }
    sample->gil =
        cprof_gil_is_of(offcpu.python, context->way, state) ? CPROF_GIL_HELD : CPROF_GIL_RELEASED;
    if (seen->is_awake && !cprof_innermost_is_stored(offcpu.python, context->way, state)) {
        return false;
    }
    if (cprof_walk(offcpu.python, context->way, state, seen->pc, context->raw,
                   offcpu.recorder->max_depth, &sample->depth, &truncated) != CPROF_WALK_DONE) {
        return false;
    }
    sample->flags = truncated ? CPROF_STACK_TRUNCATED : 0;
    return true;
}

/* A core serves a request under its app's state, if that is another than its own. */
static bool walk_thread(struct cprof_thread *thread, const struct cprof_sleep_state *how,
                        struct cprof_context *context, struct cprof_sample *sample,
                        struct cprof_seen_tags *seen)
{
    uintptr_t state = thread->core >= 0 && offcpu.requests.thread_state
                          ? offcpu.requests.thread_state(thread->core)
                          : 0;

    if (!state || !walk_state(state, how, context, sample) || sample->depth == 0) {
        if (state && how->is_awake) {
            return false; /* which of the two it runs under is not known at each instant */
        }
        state = own_state(thread);
        if (!walk_state(state, how, context, sample)) {
            return false;
        }
    }
    cprof_tags_see(context->way, thread->core, state, seen);
    return true;
}

static bool is_serving(const struct cprof_thread *thread)
{
    return thread->core >= 0 && offcpu.requests.is_running &&
           offcpu.requests.is_running(thread->core);
}

static bool read_stack(struct cprof_thread *thread, const struct cprof_sleep_state *state,
                       struct cprof_context *context, struct cprof_sample *sample,
                       struct cprof_seen_tags *seen)
{
    bool is_true;

    if (!cprof_guard_begin_reading()) {
        return false;
    }
    context->way = cprof_peek_choose(offcpu.blocked);
    is_true = walk_thread(thread, state, context, sample, seen);
    if (is_true && sample->depth == 0 && !state->is_awake && !is_serving(thread)) {
        sample->flags |= CPROF_STACK_IDLE;
    }
    return is_true;
}

/* The futex's address tells whose it is. Where that is refused, the C library does. */
static bool waits_for_interpreter(struct cprof_thread *thread,
                                  const struct cprof_sleep_state *state)
{
    if (state->futex) {
        return state->futex >= offcpu.python->gil_low && state->futex < offcpu.python->gil_high;
    }
    return (state->state == CPROF_STATE_FUTEX || state->state == CPROF_STATE_UNKNOWN) &&
           cprof_gil_is_awaited(offcpu.python, offcpu.lasting_way, own_state(thread), thread->tid);
}

static bool stands_still(const struct cprof_thread *thread)
{
    uint64_t cpu_ns;

    return cprof_engine_timer_clock(thread->tid, &cpu_ns) && cpu_ns == thread->sleep.cpu_seen_ns;
}

/* Walks the thread, proves that it stood still, finds its record. CPROF_RECORDED_UNREADABLE: it
 * could not be proved. */
static enum cprof_recorded find_stack(struct cprof_thread *thread, struct cprof_sleep_state *state,
                                      struct cprof_context *context, uint32_t *ref)
{
    struct cprof_sample sample = {
        .tag_ref = atomic_load(&thread->tag_ref),
        .kind = CPROF_STACK_OFF_CPU,
        .system_call = state->system_call,
    };
    struct cprof_seen_tags seen;
    struct cprof_tag_list tags;
    enum cprof_recorded outcome = CPROF_RECORDED_UNREADABLE;
    bool is_true = false;

    cprof_record_expect(offcpu.recorder, context);
    atomic_fetch_add(&counters_of_slot()[CPROF_COUNTER_OFF_CPU_WALKS], 1);
    if (read_stack(thread, state, context, &sample, &seen)) {
        if (!state->is_awake && waits_for_interpreter(thread, state)) {
            state->state = CPROF_STATE_GIL;
            state->is_unsaid = false;
            sample.gil = CPROF_GIL_WAITING;
        }
        sample.state = state->state;
        is_true = stands_still(thread);
    }
    if (is_true) {
        cprof_tags_intern(&seen, &context->parts, &tags);
        sample.tags = &tags;
        sample.request = seen.request;
        outcome = cprof_record_find(offcpu.recorder, context, &sample, ref);
    }
    cprof_guard_end_reading();
    return outcome;
}

/* Time in a stack that found no room in the log. */
static void book_log_full(struct cprof_sleep *sleep)
{
    if (sleep->due_ns > 0) {
        atomic_fetch_add(&counters_of_slot()[CPROF_COUNTER_OFF_CPU_LOG_FULL_NS],
                         (uint64_t)sleep->due_ns);
        sleep->due_ns = 0;
    }
}

/* Is it worth to walk a thread that the kernel calls running? */
static bool may_wait_for_cpu(const struct cprof_thread *thread)
{
    return offcpu.sees_waits && thread->sleep.has_account && stands_still(thread);
}

/* Where the thread stands still, or CPROF_NO_REF if it does not or that cannot be recorded. *state
 * says how it does. */
static uint32_t look_for_stack(struct cprof_thread *thread, struct cprof_sleep_state *state)
{
    struct cprof_context *context;
    enum cprof_recorded outcome;
    uint32_t ref = CPROF_NO_REF;

    if (!cprof_sleep_state_read(thread, state) && !(state->is_awake && may_wait_for_cpu(thread))) {
        return CPROF_NO_REF;
    }
    context = cprof_context_acquire(offcpu.recorder);
    if (!context) {
        return CPROF_NO_REF;
    }
    outcome = find_stack(thread, state, context, &ref);
    cprof_context_release(context);
    if (outcome == CPROF_RECORDED_LOG_FULL && !state->is_awake) {
        book_log_full(&thread->sleep);
    } else if (outcome == CPROF_RECORDED_UNREADABLE) {
        atomic_fetch_add(&counters_of_slot()[CPROF_COUNTER_OFF_CPU_MOVED], 1);
    }
    return outcome == CPROF_RECORDED ? ref : CPROF_NO_REF;
}

/* The thread still sleeps where it did: asks once more in what. */
static void name_sleep(struct cprof_thread *thread)
{
    struct cprof_sleep *sleep = &thread->sleep;
    struct cprof_sleep_state state;
    uint32_t ref = look_for_stack(thread, &state);
    int64_t moved_ns;

    if (ref == CPROF_NO_REF || state.is_unsaid || state.is_awake) {
        offcpu.vain_questions++;
        return;
    }
    offcpu.vain_questions = 0;
    moved_ns = -cprof_record_add(offcpu.recorder, sleep->ref, -sleep->unnamed_ns,
                                 -(uint64_t)sleep->unnamed_looks);
    (void)cprof_record_add(offcpu.recorder, ref, moved_ns, sleep->unnamed_looks);
    sleep->ref = ref;
    sleep->is_unnamed = false;
}

/* Gives the stack in which the thread was last seen asleep its part of what is due: all of it if
 * the thread is awake now; else what differs from the mean gap, which is the new stack's weight
 * whatever became of this gap (pace.h). That part may be negative. Were the weight scaled by how
 * much of the gap the thread slept, a stack behind a burst of CPU time would lose to the one
 * before it. */
static void settle_with_previous(struct cprof_thread *thread, bool is_awake, uint64_t gap_mean_ns)
{
    struct cprof_sleep *sleep = &thread->sleep;
    int64_t part_ns = 0;

    if (sleep->ref == CPROF_NO_REF) {
        return;
    }
    if (is_awake) {
        part_ns = sleep->due_ns;
    } else if (gap_mean_ns > 0) {
        part_ns = sleep->due_ns - (int64_t)gap_mean_ns;
    }
    part_ns = cprof_record_add(offcpu.recorder, sleep->ref, part_ns, 0);
    atomic_fetch_add(&counters_of_slot()[CPROF_COUNTER_OFF_CPU_WEIGHT_NS], (uint64_t)part_ns);
    sleep->due_ns -= part_ns;
}

/* The state under which the thread's greenlets run: its own, unless its core serves a request
 * under another. */
static uintptr_t state_of_greenlets(struct cprof_thread *thread)
{
    uintptr_t other = thread->core >= 0 && offcpu.requests.thread_state
                          ? offcpu.requests.thread_state(thread->core)
                          : 0;

    return other ? 0 : own_state(thread);
}

/* The greenlets of a thread that has run since the last look. */
static void look_at_greenlets(struct cprof_thread *thread, bool is_asleep, uint64_t now_ns,
                              uint64_t gap_mean_ns)
{
    struct cprof_parked_look look = {
        .python = offcpu.python,
        .recorder = offcpu.recorder,
        .context = cprof_context_acquire(offcpu.recorder),
        .thread = thread,
        .stands_still = is_asleep ? stands_still : NULL,
        .now_ns = now_ns,
        .gap_mean_ns = gap_mean_ns,
    };

    if (!look.context) {
        cprof_parked_miss(now_ns, gap_mean_ns);
        return;
    }
    if (cprof_guard_begin_reading()) {
        look.thread_state = state_of_greenlets(thread);
        look.context->way = cprof_peek_choose(offcpu.blocked);
        cprof_parked_look(&look);
    }
    cprof_guard_end_reading();
    cprof_context_release(look.context);
}

static void start_following(struct cprof_thread *thread, uint64_t now_ns, uint64_t cpu_ns)
{
    struct cprof_sleep *sleep = &thread->sleep;

    *sleep = (struct cprof_sleep)CPROF_SLEEP_NONE;
    sleep->is_followed = true;
    sleep->wall_seen_ns = now_ns;
    sleep->cpu_seen_ns = cpu_ns;
    sleep->has_account = cprof_sleep_run_queue(thread, &sleep->run_queue_seen_ns);
}

/* Does the thread wait only because the ticker woke up? On the ticker's own processor it may have
 * run until then. The scheduler's clock of that processor says when it did, and what the ticker has
 * used since it went to sleep says when it woke up, a few microseconds early; where that is not
 * told, nothing that waits on this processor counts. But for a process that has one processor, all
 * does: what the ticker adds is then shared out as CPU time is. */
static bool was_pushed_aside(struct cprof_thread *thread)
{
    struct cprof_last_run its, own;
    int processor = cprof_sleep_processor(thread);

    if (processor >= 0 && processor != sched_getcpu()) {
        return false;
    }
    if (!cprof_sleep_last_run(thread->tid, &its) ||
        !cprof_sleep_last_run((pid_t)syscall(SYS_gettid), &own)) {
        return !offcpu.has_one_processor;
    }
    return its.at_ns + own.cpu_ns >= own.at_ns + offcpu.rest_cpu_ns;
}

/* The thread stands still and waits for a CPU, in the stack of `ref`. What is due is left: the
 * kernel will say how much of it was spent in the queue. */
static void begin_wait(struct cprof_thread *thread, uint32_t ref, uint64_t weight_ns)
{
    struct cprof_sleep *sleep = &thread->sleep;

    sleep->is_known = true;
    sleep->is_queued = true;
    sleep->is_unnamed = false;
    sleep->queued_ref = ref;
    sleep->queued_ns = weight_ns;
    sleep->is_pushed_aside = was_pushed_aside(thread);
    book_wait(sleep, weight_ns);
}

static bool waits_often(const struct cprof_sleep *sleep)
{
    return offcpu.sees_waits && sleep->waited_ns > sleep->followed_ns / WAIT_PART_MIN;
}

static bool is_worth_asking(const struct cprof_sleep *sleep)
{
    return waits_often(sleep) && (sleep->still_looks <= ASKING_LOOKS ||
                                  (sleep->still_looks & (sleep->still_looks - 1)) == 0);
}

/* The thread was asleep, and its clock stands still; but it may have been woken and wait for a CPU
 * since. It is asked where waits are worth it, and more and more rarely while it stands still: a
 * look that asks weighs what those before it would have weighed. Returns that weight if the thread
 * was woken, else 0. */
static uint64_t ask_whether_woken(struct cprof_thread *thread, uint64_t weight_ns)
{
    struct cprof_sleep *sleep = &thread->sleep;

    sleep->still_looks++;
    sleep->unasked_ns += weight_ns;
    if (!is_worth_asking(sleep)) {
        return 0;
    }
    weight_ns = sleep->unasked_ns;
    sleep->unasked_ns = 0;
    return cprof_sleep_has_ended(thread) ? weight_ns : 0;
}

/* The thread has not run since its stack was recorded. */
static void book_unchanged(struct cprof_thread *thread, uint64_t gap_ns, uint64_t gap_mean_ns)
{
    struct cprof_sleep *sleep = &thread->sleep;
    uint64_t weight_ns = gap_mean_ns ? gap_mean_ns : gap_ns;

    if (sleep->is_queued) {
        sleep->queued_ns += gap_ns;
        book_wait(sleep, weight_ns);
        return;
    }
    weight_ns = ask_whether_woken(thread, weight_ns);
    if (weight_ns > 0) {
        begin_wait(thread, sleep->ref, weight_ns);
    } else {
        book_due(thread);
    }
}

static void begin_sleep(struct cprof_thread *thread, uint32_t ref, bool is_unnamed,
                        uint64_t gap_mean_ns)
{
    struct cprof_sleep *sleep = &thread->sleep;

    settle_with_previous(thread, ref == CPROF_NO_REF, gap_mean_ns);
    sleep->is_known = ref != CPROF_NO_REF;
    sleep->is_queued = false;
    sleep->still_looks = 0;
    sleep->unasked_ns = 0;
    sleep->is_unnamed = sleep->is_known && is_unnamed;
    sleep->unnamed_looks = 0;
    sleep->unnamed_ns = 0;
    if (sleep->is_known) {
        sleep->ref = ref;
        book_due(thread);
    }
}

/* The thread has run: what does it do now? */
static void look_anew(struct cprof_thread *thread, uint64_t now_ns, uint64_t gap_ns,
                      uint64_t gap_mean_ns)
{
    const struct cprof_sleep *sleep = &thread->sleep;
    struct cprof_sleep_state state;
    uint32_t ref;

    take_run_queue_time(thread);
    ref = look_for_stack(thread, &state);
    if (ref != CPROF_NO_REF && state.is_awake) {
        begin_wait(thread, ref, gap_mean_ns ? gap_mean_ns : gap_ns);
    } else {
        begin_sleep(thread, ref, state.is_unsaid, gap_mean_ns);
    }
    if (cprof_greenlets_belong_to(thread->tid)) {
        look_at_greenlets(thread, sleep->is_known && !sleep->is_queued, now_ns, gap_mean_ns);
    }
}

/* The thread has not run since its stack was recorded, and its clocks are up to date. */
static void book_still(struct cprof_thread *thread, uint64_t now_ns, uint64_t gap_ns,
                       uint64_t gap_mean_ns)
{
    book_unchanged(thread, gap_ns, gap_mean_ns);
    if (cprof_greenlets_belong_to(thread->tid)) {
        cprof_parked_book(offcpu.recorder, now_ns, gap_mean_ns);
    }
}

/* As look_at_thread, where the thread's clock is known to stand: it is not read. */
static void stay_at_thread(struct cprof_thread *thread, uint64_t now_ns, uint64_t gap_mean_ns)
{
    uint64_t gap_ns = now_ns - thread->sleep.wall_seen_ns;

    (void)advance(&thread->sleep, now_ns, thread->sleep.cpu_seen_ns);
    book_still(thread, now_ns, gap_ns, gap_mean_ns);
}

/* Returns whether the thread has run since the last look. */
static bool look_at_thread(struct cprof_thread *thread, uint64_t now_ns, uint64_t gap_mean_ns)
{
    struct cprof_sleep *sleep = &thread->sleep;
    uint64_t cpu_ns, gap_ns;

    if (!cprof_engine_timer_clock(thread->tid, &cpu_ns)) {
        sleep->is_known = false;
        return false; /* gone: the next scan will see it */
    }
    if (!sleep->is_followed) {
        start_following(thread, now_ns, cpu_ns);
    }
    gap_ns = now_ns - sleep->wall_seen_ns;
    if (advance(sleep, now_ns, cpu_ns) > 0 || !sleep->is_known) {
        look_anew(thread, now_ns, gap_ns, gap_mean_ns);
        return true;
    }
    book_still(thread, now_ns, gap_ns, gap_mean_ns);
    return false;
}

/* A core that has just registered gets its tags at the next scan. */
static bool can_be_followed(const struct cprof_thread *thread)
{
    return atomic_load(&thread->has_state) && atomic_load(&thread->tag_ref) != CPROF_NO_REF;
}

void cprof_offcpu_rest(uint64_t ticker_cpu_ns)
{
    offcpu.rest_cpu_ns = ticker_cpu_ns;
}

void cprof_offcpu_follow(void)
{
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        uint64_t cpu_ns;

        if (can_be_followed(thread) && !thread->sleep.is_followed &&
            cprof_engine_timer_clock(thread->tid, &cpu_ns)) {
            start_following(thread, cprof_now_ns(), cpu_ns);
        }
    }
}

/* The time is asked for once for several threads: each look at a thread is late by as little as the
 * one before it, and what lies between two looks is what counts. */
bool cprof_offcpu_look(uint64_t gap_mean_ns)
{
    uint64_t now_ns = 0;
    unsigned looked_at = 0;
    bool moved = false;

    offcpu.may_be_waiting = false;
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        if (can_be_followed(thread)) {
            now_ns = looked_at++ % THREADS_AT_ONCE == 0 ? cprof_now_ns() : now_ns;
            moved |= look_at_thread(thread, now_ns, gap_mean_ns);
            offcpu.may_be_waiting |= thread->sleep.is_queued || waits_often(&thread->sleep);
        }
    }
    return moved;
}

bool cprof_offcpu_may_be_waiting(void)
{
    return offcpu.may_be_waiting;
}

bool cprof_offcpu_stay(uint64_t gap_mean_ns)
{
    bool moved = false;

    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        if (!can_be_followed(thread)) {
            continue;
        }
        if (thread->sleep.is_known) {
            stay_at_thread(thread, cprof_now_ns(), gap_mean_ns);
        } else {
            moved |= look_at_thread(thread, cprof_now_ns(), gap_mean_ns);
        }
    }
    return moved;
}

bool cprof_offcpu_name_sleeps(void)
{
    bool is_left = false;

    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        if (thread->sleep.is_unnamed && stands_still(thread)) {
            name_sleep(thread);
            is_left |= thread->sleep.is_unnamed;
        }
    }
    return is_left && offcpu.vain_questions < VAIN_QUESTIONS_MAX;
}

void cprof_offcpu_forget(struct cprof_thread *thread)
{
    struct cprof_sleep *sleep = &thread->sleep;

    book_pending_wait(thread);
    if (sleep->is_followed && sleep->ref != CPROF_NO_REF) {
        book_due(thread);
    }
    if (cprof_greenlets_belong_to(thread->tid)) {
        cprof_parked_forget();
    }
    cprof_sleep_close_files(thread);
    *sleep = (struct cprof_sleep)CPROF_SLEEP_NONE;
}

void cprof_offcpu_settle(void)
{
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        book_pending_wait(thread);
        thread->sleep.unnamed_ns = 0;
        thread->sleep.unnamed_looks = 0;
    }
}

void cprof_offcpu_doubt(void)
{
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        thread->sleep.is_known = false;
    }
}

void cprof_offcpu_end(void)
{
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        cprof_offcpu_forget(thread);
    }
}
