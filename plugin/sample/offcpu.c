/* offcpu.c - see offcpu.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "offcpu.h"

#include <stdatomic.h>

#include "../../shared/segment/window.h"
#include "../ground/guard.h"
#include "../python/peek.h"
#include "../threads/engine_timer.h"
#include "cpu_waits.h"
#include "greenlets.h"
#include "parked.h"
#include "sleep_state.h"
#include "still_stack.h"

/* Questions in a row that named no sleep before they are given up for the window: a kernel may
 * never say. */
#define VAIN_QUESTIONS_MAX 1000u

#define THREADS_AT_ONCE 16u

static struct {
    struct cprof_slot *slot;
    const struct cprof_python *python;
    struct cprof_recorder *recorder;
    struct cprof_request_view requests;
    const sigset_t *blocked;
    uint32_t vain_questions;
    bool may_be_waiting; /* some thread, at the last look or soon after it */
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
    cprof_still_stack_setup(slot, python, recorder, requests, blocked);
    cprof_cpu_waits_setup(slot, recorder);
}

void cprof_offcpu_begin(bool keeps_files)
{
    cprof_sleep_state_begin(keeps_files);
    cprof_still_stack_begin();
    cprof_cpu_waits_begin();
    offcpu.vain_questions = 0;
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

/* Time in a stack that found no room in the log. */
static void book_log_full(struct cprof_sleep *sleep)
{
    if (sleep->due_ns > 0) {
        atomic_fetch_add(&counters_of_slot()[CPROF_COUNTER_OFF_CPU_LOG_FULL_NS],
                         (uint64_t)sleep->due_ns);
        sleep->due_ns = 0;
    }
}

/* Where the thread stands still, or CPROF_NO_REF if it does not or that cannot be recorded. *state
 * says how it does. */
static uint32_t look_for_stack(struct cprof_thread *thread, struct cprof_sleep_state *state)
{
    uint32_t ref = CPROF_NO_REF;
    enum cprof_recorded outcome = cprof_still_stack_find(thread, state, &ref);

    if (outcome == CPROF_RECORDED_LOG_FULL && !state->is_awake) {
        book_log_full(&thread->sleep);
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
static uintptr_t state_of_greenlets(struct cprof_thread *thread, enum cprof_peek_way way)
{
    uintptr_t other = thread->core >= 0 && offcpu.requests.thread_state
                          ? offcpu.requests.thread_state(thread->core)
                          : 0;

    return other ? 0 : cprof_still_stack_own_state(thread, way);
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
        .stands_still = is_asleep ? cprof_still_stack_stands : NULL,
        .now_ns = now_ns,
        .gap_mean_ns = gap_mean_ns,
    };

    if (!look.context) {
        cprof_parked_miss(now_ns, gap_mean_ns);
        return;
    }
    if (cprof_guard_begin_reading()) {
        look.context->way = cprof_peek_choose(offcpu.blocked);
        look.thread_state = state_of_greenlets(thread, look.context->way);
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

/* The thread has not run since its stack was recorded. */
static void book_unchanged(struct cprof_thread *thread, uint64_t gap_ns, uint64_t gap_mean_ns)
{
    struct cprof_sleep *sleep = &thread->sleep;
    uint64_t weight_ns = gap_mean_ns ? gap_mean_ns : gap_ns;

    if (sleep->is_queued) {
        sleep->queued_ns += gap_ns;
        cprof_cpu_waits_book(sleep, weight_ns);
        return;
    }
    weight_ns = cprof_cpu_waits_ask(thread, weight_ns);
    if (weight_ns > 0) {
        cprof_cpu_waits_begin_one(thread, sleep->ref, weight_ns);
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

    cprof_cpu_waits_take_account(thread);
    ref = look_for_stack(thread, &state);
    if (ref != CPROF_NO_REF && state.is_awake) {
        cprof_cpu_waits_begin_one(thread, ref, gap_mean_ns ? gap_mean_ns : gap_ns);
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

/* Returns whether the thread has run since the last look, or may be running. */
static bool look_at_thread(struct cprof_thread *thread, uint64_t now_ns, uint64_t gap_mean_ns)
{
    struct cprof_sleep *sleep = &thread->sleep;
    uint64_t cpu_ns, gap_ns;
    bool has_run;

    if (!cprof_engine_timer_clock(thread->tid, &cpu_ns)) {
        sleep->is_known = false;
        return false; /* gone: the next scan will see it */
    }
    if (!sleep->is_followed) {
        start_following(thread, now_ns, cpu_ns);
    }
    gap_ns = now_ns - sleep->wall_seen_ns;
    has_run = advance(sleep, now_ns, cpu_ns) > 0;
    if (has_run || !sleep->is_known) {
        look_anew(thread, now_ns, gap_ns, gap_mean_ns);
        return has_run || !sleep->is_known;
    }
    book_still(thread, now_ns, gap_ns, gap_mean_ns);
    return false;
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
            offcpu.may_be_waiting |=
                thread->sleep.is_queued || cprof_cpu_waits_often(&thread->sleep);
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
    uint64_t now_ns = 0;
    unsigned looked_at = 0;
    bool has_looked = false;

    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        if (!can_be_followed(thread)) {
            continue;
        }
        now_ns = looked_at++ % THREADS_AT_ONCE == 0 ? cprof_now_ns() : now_ns;
        if (thread->sleep.is_known) {
            stay_at_thread(thread, now_ns, gap_mean_ns);
        } else {
            (void)look_at_thread(thread, now_ns, gap_mean_ns);
            has_looked = true;
        }
    }
    return has_looked;
}

bool cprof_offcpu_name_sleeps(void)
{
    bool is_left = false;

    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        if (thread->sleep.is_unnamed && cprof_still_stack_stands(thread)) {
            name_sleep(thread);
            is_left |= thread->sleep.is_unnamed;
        }
    }
    return is_left && offcpu.vain_questions < VAIN_QUESTIONS_MAX;
}

void cprof_offcpu_forget(struct cprof_thread *thread)
{
    struct cprof_sleep *sleep = &thread->sleep;

    cprof_cpu_waits_book_pending(thread);
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
        cprof_cpu_waits_book_pending(thread);
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
