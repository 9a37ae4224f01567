/* still_stack.c - see still_stack.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "still_stack.h"

#include <stdatomic.h>

#include "../ground/guard.h"
#include "../python/gil_state.h"
#include "../python/gil_wait.h"
#include "../python/innermost.h"
#include "../python/peek.h"
#include "../python/walker.h"
#include "../tags/tags.h"
#include "../threads/engine_timer.h"
#include "cpu_waits.h"

static struct {
    struct cprof_slot *slot;
    const struct cprof_python *python;
    struct cprof_recorder *recorder;
    struct cprof_request_view requests;
    const sigset_t *blocked;
    enum cprof_peek_way lasting_way;
} still;

void cprof_still_stack_setup(struct cprof_slot *slot, const struct cprof_python *python,
                             struct cprof_recorder *recorder,
                             const struct cprof_request_view *requests, const sigset_t *blocked)
{
    still.slot = slot;
    still.python = python;
    still.recorder = recorder;
    still.requests = *requests;
    still.blocked = blocked;
}

void cprof_still_stack_begin(void)
{
    still.lasting_way = cprof_peek_choose_lasting(still.blocked);
}

uintptr_t cprof_still_stack_own_state(struct cprof_thread *thread, enum cprof_peek_way way)
{
    if (thread->core >= 0 || cprof_state_is_still(still.python, way, &thread->own)) {
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
        cprof_gil_is_of(still.python, context->way, state) ? CPROF_GIL_HELD : CPROF_GIL_RELEASED;
    if (seen->is_awake && !cprof_innermost_is_stored(still.python, context->way, state)) {
        return false;
    }
    if (cprof_walk(still.python, context->way, state, seen->pc, context->raw,
                   still.recorder->max_depth, &sample->depth, &truncated) != CPROF_WALK_DONE) {
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
    uintptr_t state = thread->core >= 0 && still.requests.thread_state
                          ? still.requests.thread_state(thread->core)
                          : 0;

    if (!state || !walk_state(state, how, context, sample) || sample->depth == 0) {
        if (state && how->is_awake) {
            return false; /* which of the two it runs under is not known at each instant */
        }
        state = cprof_still_stack_own_state(thread, context->way);
        if (!walk_state(state, how, context, sample)) {
            return false;
        }
    }
    cprof_tags_see(context->way, thread->core, state, seen);
    return true;
}

static bool is_serving(const struct cprof_thread *thread)
{
    return thread->core >= 0 && still.requests.is_running &&
           still.requests.is_running(thread->core);
}

static bool read_stack(struct cprof_thread *thread, const struct cprof_sleep_state *state,
                       struct cprof_context *context, struct cprof_sample *sample,
                       struct cprof_seen_tags *seen)
{
    bool is_true;

    if (!cprof_guard_begin_reading()) {
        return false;
    }
    context->way = cprof_peek_choose(still.blocked);
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
        return state->futex >= still.python->gil_low && state->futex < still.python->gil_high;
    }
    return (state->state == CPROF_STATE_FUTEX || state->state == CPROF_STATE_UNKNOWN) &&
           cprof_gil_is_awaited(still.python, still.lasting_way,
                                cprof_still_stack_own_state(thread, still.lasting_way),
                                thread->tid);
}

bool cprof_still_stack_stands(const struct cprof_thread *thread)
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

    cprof_record_expect(still.recorder, context);
    atomic_fetch_add(&still.slot->counters[CPROF_COUNTER_OFF_CPU_WALKS], 1);
    if (read_stack(thread, state, context, &sample, &seen)) {
        if (!state->is_awake && waits_for_interpreter(thread, state)) {
            state->state = CPROF_STATE_GIL;
            state->is_unsaid = false;
            sample.gil = CPROF_GIL_WAITING;
        }
        sample.state = state->state;
        is_true = cprof_still_stack_stands(thread);
    }
    if (is_true) {
        cprof_tags_intern(&seen, &context->parts, &tags);
        sample.tags = &tags;
        sample.request = seen.request;
        outcome = cprof_record_find(still.recorder, context, &sample, ref);
    }
    cprof_guard_end_reading();
    return outcome;
}

/* Is it worth to walk a thread that the kernel calls running? */
static bool may_wait_for_cpu(const struct cprof_thread *thread)
{
    return cprof_cpu_waits_are_seen(thread) && cprof_still_stack_stands(thread);
}

enum cprof_recorded cprof_still_stack_find(struct cprof_thread *thread,
                                           struct cprof_sleep_state *state, uint32_t *ref)
{
    struct cprof_context *context;
    enum cprof_recorded outcome;

    if (!cprof_sleep_state_read(thread, state) && !(state->is_awake && may_wait_for_cpu(thread))) {
        return CPROF_RECORDED_UNREADABLE;
    }
    context = cprof_context_acquire(still.recorder);
    if (!context) {
        return CPROF_RECORDED_UNREADABLE;
    }
    outcome = find_stack(thread, state, context, ref);
    cprof_context_release(context);
    if (outcome == CPROF_RECORDED_UNREADABLE) {
        atomic_fetch_add(&still.slot->counters[CPROF_COUNTER_OFF_CPU_MOVED], 1);
    }
    return outcome;
}
