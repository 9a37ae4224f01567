/* parked.c - see parked.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "parked.h"

#include <stdatomic.h>

#include "../base/log.h"
#include "../python/greenlet.h"
#include "../python/walker.h"
#include "greenlets.h"

/* Greenlets that were looked at in vain before their layout is taken for unknown: those that
 * have not begun or have ended keep no frame. */
#define LESSONS_MAX 10000u

static struct {
    struct cprof_greenlet_layout layout;
    uint32_t lessons;
    bool said_unknown, said_left_out;
    uint64_t looked_ns; /* when the thread was last seen asleep in this window, 0: not yet */
} parked;

static void say_what_is_missing(void)
{
    if (parked.lessons == LESSONS_MAX && !parked.said_unknown) {
        parked.said_unknown = true;
        cprof_log(CPROF_LOG_WARNING,
                  "this release of greenlet keeps its frames where they are not found: wall "
                  "profiles show the thread alone and no greenlet that waits");
    }
    if (cprof_greenlets_left_out() > 0 && !parked.said_left_out) {
        parked.said_left_out = true;
        cprof_log(CPROF_LOG_WARNING, "more than %u greenlets: some are not in wall profiles",
                  CPROF_GREENLETS_MAX);
    }
}

static bool knows_layout(const struct cprof_parked_look *look, uintptr_t address)
{
    if (parked.layout.frame != 0) {
        return true;
    }
    if (parked.lessons >= LESSONS_MAX) {
        return false;
    }
    parked.lessons++;
    return cprof_greenlet_learn(look->python, look->context->way, address, &parked.layout);
}

/* The record of the greenlet's stack, or CPROF_NO_REF if it is not parked or the thread woke. */
static uint32_t find_stack(const struct cprof_parked_look *look, uintptr_t address)
{
    struct cprof_sample sample = {
        .tag_ref = atomic_load(&look->thread->tag_ref),
        .kind = CPROF_STACK_OFF_CPU,
        .state = CPROF_STATE_GREENLET,
    };
    bool truncated = false;
    uintptr_t frame;
    uint32_t ref = CPROF_NO_REF;

    cprof_record_expect(look->recorder, look->context);
    frame = knows_layout(look, address)
                ? cprof_greenlet_frame(look->python, look->context->way, &parked.layout, address)
                : 0;
    if (!frame ||
        cprof_walk_parked(look->python, look->context->way, frame, look->context->raw,
                          look->recorder->max_depth, &sample.depth,
                          &truncated) != CPROF_WALK_DONE ||
        sample.depth == 0) {
        return CPROF_NO_REF;
    }
    sample.flags = truncated ? CPROF_STACK_TRUNCATED : 0;
    if (!look->stands_still(look->thread) ||
        cprof_record_find(look->recorder, look->context, &sample, &ref) != CPROF_RECORDED) {
        return CPROF_NO_REF;
    }
    return ref;
}

/* Returns what could not be taken off. */
static int64_t book(struct cprof_recorder *recorder, uint32_t ref, int64_t wanted_ns,
                    uint64_t count)
{
    int64_t weight_ns = cprof_record_add(recorder, ref, wanted_ns, count);

    atomic_fetch_add(&recorder->slot->counters.off_cpu_weight_ns, (uint64_t)weight_ns);
    atomic_fetch_add(&recorder->slot->counters.off_cpu_looks, count);
    return wanted_ns - weight_ns;
}

/* A greenlet that is found parked gets the time since the last look, also if it was made or
 * moved meanwhile; one that is not found gets none. A new stack gets the mean gap and the old one
 * the rest (pace.h). */
static void settle(const struct cprof_parked_look *look, struct cprof_greenlet *greenlet,
                   uint32_t birth, uint32_t ref)
{
    bool was_seen = greenlet->birth_seen == birth && greenlet->seen_ns != 0;
    uint64_t since_ns = was_seen ? greenlet->seen_ns : parked.looked_ns;
    int64_t due_ns = since_ns ? (int64_t)(look->now_ns - since_ns) : 0;
    bool has_moved = !was_seen || greenlet->ref != ref;
    int64_t weight_ns =
        due_ns > 0 && has_moved && look->gap_mean_ns ? (int64_t)look->gap_mean_ns : due_ns;
    int64_t left_ns = 0;

    if (ref != CPROF_NO_REF) {
        (void)book(look->recorder, ref, weight_ns, 1);
        if (was_seen && greenlet->ref != CPROF_NO_REF) {
            left_ns = book(look->recorder, greenlet->ref, due_ns - weight_ns, 0);
        }
    }
    greenlet->birth_seen = birth;
    greenlet->ref = ref;
    greenlet->seen_ns = look->now_ns - (uint64_t)left_ns;
}

void cprof_parked_look(const struct cprof_parked_look *look)
{
    for (struct cprof_greenlet *greenlet = cprof_greenlet_next(NULL); greenlet;
         greenlet = cprof_greenlet_next(greenlet)) {
        uint32_t birth = atomic_load(&greenlet->birth);
        uintptr_t address = atomic_load(&greenlet->address);

        if (address && look->stands_still(look->thread)) {
            settle(look, greenlet, birth, find_stack(look, address));
        }
    }
    if (look->stands_still(look->thread)) {
        parked.looked_ns = look->now_ns;
    }
    say_what_is_missing();
}

void cprof_parked_book(struct cprof_recorder *recorder, uint64_t now_ns)
{
    for (struct cprof_greenlet *greenlet = cprof_greenlet_next(NULL); greenlet;
         greenlet = cprof_greenlet_next(greenlet)) {
        if (greenlet->ref != CPROF_NO_REF && greenlet->seen_ns != 0 &&
            greenlet->birth_seen == atomic_load(&greenlet->birth)) {
            (void)book(recorder, greenlet->ref, (int64_t)(now_ns - greenlet->seen_ns), 1);
            greenlet->seen_ns = now_ns;
        }
    }
    parked.looked_ns = now_ns;
}

void cprof_parked_forget(void)
{
    for (struct cprof_greenlet *greenlet = cprof_greenlet_next(NULL); greenlet;
         greenlet = cprof_greenlet_next(greenlet)) {
        greenlet->ref = CPROF_NO_REF;
        greenlet->seen_ns = 0;
    }
    parked.looked_ns = 0;
}
