/* offcpu.c - see offcpu.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "offcpu.h"

#include <stdatomic.h>

#include "../../shared/segment/window.h"
#include "../ground/guard.h"
#include "../python/gil_state.h"
#include "../python/gil_wait.h"
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

static struct {
    struct cprof_slot *slot;
    const struct cprof_python *python;
    struct cprof_recorder *recorder;
    struct cprof_request_view requests;
    const sigset_t *blocked;
    enum cprof_peek_way lasting_way;
    uint32_t vain_questions;
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

void cprof_offcpu_begin(bool keeps_files)
{
    cprof_sleep_state_begin(keeps_files);
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
    if (sleep->runnable_ref == CPROF_NO_REF) {
        sleep->runnable_ref = find_runnable(thread);
    }
    if (sleep->runnable_ref == CPROF_NO_REF) {
        return; /* the log is full: the time stays with the sleeping stacks */
    }
    sleep->due_ns -= (int64_t)waited_ns;
    (void)cprof_record_add(offcpu.recorder, sleep->runnable_ref, (int64_t)waited_ns, 1);
    atomic_fetch_add(&counters_of_slot()[CPROF_COUNTER_RUNNABLE_NS], waited_ns);
}

/* The thread's own state. A core keeps it as long as it lives; a C thread of the app's may have
 * left Python and freed it, which is asked in a way that no bad address can harm: then 0, and the
 * next scan looks for its new state. */
static uintptr_t own_state(struct cprof_thread *thread)
{
    struct cprof_remembered_state now;

    if (thread->core >= 0) {
        return thread->own.address;
    }
    if (thread->own.address &&
        cprof_remember_state(offcpu.python, offcpu.lasting_way, thread->own.address, &now) &&
        now.id == thread->own.id && now.interpreter == thread->own.interpreter) {
        return thread->own.address;
    }
    thread->own = (struct cprof_remembered_state){0};
    return 0;
}

static bool walk_state(uintptr_t state, uintptr_t pc, struct cprof_context *context,
                       struct cprof_sample *sample)
{
    bool truncated = false;

    sample->depth = 0;
    sample->gil = CPROF_GIL_UNKNOWN;
    if (!state) {
        return true;
    }
    sample->gil =
        cprof_gil_is_of(offcpu.python, context->way, state) ? CPROF_GIL_HELD : CPROF_GIL_RELEASED;
    if (cprof_walk(offcpu.python, context->way, state, pc, context->raw, offcpu.recorder->max_depth,
                   &sample->depth, &truncated) != CPROF_WALK_DONE) {
        return false;
    }
    sample->flags = truncated ? CPROF_STACK_TRUNCATED : 0;
    return true;
}

/* A core serves a request under its app's state, if that is another than its own. */
static bool walk_thread(struct cprof_thread *thread, uintptr_t pc, struct cprof_context *context,
                        struct cprof_sample *sample, struct cprof_seen_tags *seen)
{
    uintptr_t state = thread->core >= 0 && offcpu.requests.thread_state
                          ? offcpu.requests.thread_state(thread->core)
                          : 0;

    if (!state || !walk_state(state, pc, context, sample) || sample->depth == 0) {
        state = own_state(thread);
        if (!walk_state(state, pc, context, sample)) {
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
    is_true = walk_thread(thread, state->pc, context, sample, seen);
    if (is_true && sample->depth == 0 && !is_serving(thread)) {
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

/* Walks the thread, proves that it slept, finds its record. CPROF_RECORDED_UNREADABLE: it could
 * not be proved. */
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
        if (waits_for_interpreter(thread, state)) {
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

/* Where the thread sleeps now, or CPROF_NO_REF if it does not or that cannot be recorded.
 * *is_unnamed: it is not known in what, and may be later. */
static uint32_t look_for_stack(struct cprof_thread *thread, bool *is_unnamed)
{
    struct cprof_context *context;
    struct cprof_sleep_state state;
    enum cprof_recorded outcome;
    uint32_t ref = CPROF_NO_REF;

    if (!cprof_sleep_state_read(thread, &state)) {
        return CPROF_NO_REF;
    }
    context = cprof_context_acquire(offcpu.recorder);
    if (!context) {
        return CPROF_NO_REF;
    }
    outcome = find_stack(thread, &state, context, &ref);
    cprof_context_release(context);
    *is_unnamed = state.is_unsaid;
    if (outcome == CPROF_RECORDED_LOG_FULL) {
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
    bool is_unnamed = true;
    uint32_t ref = look_for_stack(thread, &is_unnamed);
    int64_t moved_ns;

    if (ref == CPROF_NO_REF || is_unnamed) {
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

    *sleep = (struct cprof_sleep){
        .is_followed = true,
        .wall_seen_ns = now_ns,
        .cpu_seen_ns = cpu_ns,
        .status_file = -1,
        .account_file = -1,
    };
    (void)cprof_sleep_run_queue(thread, &sleep->run_queue_seen_ns);
}

/* The thread has not run since its stack was recorded. */
static void book_unchanged(struct cprof_thread *thread, uint64_t now_ns, uint64_t gap_mean_ns)
{
    book_due(thread);
    if (cprof_greenlets_belong_to(thread->tid)) {
        cprof_parked_book(offcpu.recorder, now_ns, gap_mean_ns);
    }
}

/* As look_at_thread, where the thread's clock is known to stand: it is not read. */
static void stay_at_thread(struct cprof_thread *thread, uint64_t gap_mean_ns)
{
    uint64_t now_ns = cprof_now_ns();

    (void)advance(&thread->sleep, now_ns, thread->sleep.cpu_seen_ns);
    book_unchanged(thread, now_ns, gap_mean_ns);
}

/* Returns whether the thread has run since the last look. */
static bool look_at_thread(struct cprof_thread *thread, uint64_t gap_mean_ns)
{
    struct cprof_sleep *sleep = &thread->sleep;
    uint64_t cpu_ns, now_ns = cprof_now_ns();
    bool is_unnamed = false;
    uint32_t ref;

    if (!cprof_engine_timer_clock(thread->tid, &cpu_ns)) {
        sleep->is_known = false;
        return false; /* gone: the next scan will see it */
    }
    if (!sleep->is_followed) {
        start_following(thread, now_ns, cpu_ns);
    } else if (advance(sleep, now_ns, cpu_ns) == 0 && sleep->is_known) {
        book_unchanged(thread, now_ns, gap_mean_ns);
        return false;
    }
    take_run_queue_time(thread);
    ref = look_for_stack(thread, &is_unnamed);
    settle_with_previous(thread, ref == CPROF_NO_REF, gap_mean_ns);
    sleep->is_known = ref != CPROF_NO_REF;
    sleep->is_unnamed = sleep->is_known && is_unnamed;
    sleep->unnamed_looks = 0;
    sleep->unnamed_ns = 0;
    if (sleep->is_known) {
        sleep->ref = ref;
        book_due(thread);
    }
    if (cprof_greenlets_belong_to(thread->tid)) {
        look_at_greenlets(thread, sleep->is_known, now_ns, gap_mean_ns);
    }
    return true;
}

/* A core that has just registered gets its tags at the next scan. */
static bool can_be_followed(const struct cprof_thread *thread)
{
    return atomic_load(&thread->has_state) && atomic_load(&thread->tag_ref) != CPROF_NO_REF;
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

bool cprof_offcpu_look(uint64_t gap_mean_ns)
{
    bool moved = false;

    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        if (can_be_followed(thread)) {
            moved |= look_at_thread(thread, gap_mean_ns);
        }
    }
    return moved;
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
            stay_at_thread(thread, gap_mean_ns);
        } else {
            moved |= look_at_thread(thread, gap_mean_ns);
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

    if (sleep->is_followed && sleep->ref != CPROF_NO_REF) {
        book_due(thread);
    }
    if (cprof_greenlets_belong_to(thread->tid)) {
        cprof_parked_forget();
    }
    cprof_sleep_close_files(thread);
    *sleep = (struct cprof_sleep){.status_file = -1, .account_file = -1};
}

void cprof_offcpu_settle(void)
{
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
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
