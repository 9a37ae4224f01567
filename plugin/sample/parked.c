/* parked.c - see parked.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "parked.h"

#include <stdatomic.h>
#include <string.h>

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
    /* Of the present window. */
    uint64_t looked_ns;   /* when the last look was, 0: not yet */
    int64_t passed_ns;    /* time that has passed and is in no weight; may be negative */
    uint64_t total_ns;    /* the weights of all looks so far */
    uint32_t first_place; /* where the next look begins: the last one came so far */
    /* What the total was when a look last saw what is in the place, or that nothing is. */
    uint64_t seen_total_ns[CPROF_GREENLETS_MAX];
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

/* A look has come, whatever it finds. Its weight must be the mean gap, on average, and must not
 * depend on what is found. That holds for the mean and what earlier gaps have left over; and so
 * the weights of all looks make up the window's time. What a look cannot see, because the thread
 * is awake or wakes up, gets its weight from the next one. */
static void advance(uint64_t now_ns, uint64_t gap_mean_ns)
{
    int64_t gap_ns = (int64_t)(now_ns - parked.looked_ns), weight_ns;

    if (parked.looked_ns != 0) {
        weight_ns = parked.passed_ns + (gap_mean_ns ? (int64_t)gap_mean_ns : gap_ns);
        weight_ns = weight_ns > 0 ? weight_ns : 0;
        parked.passed_ns += gap_ns - weight_ns;
        parked.total_ns += (uint64_t)weight_ns;
    }
    parked.looked_ns = now_ns;
}

/* The place was seen, and found to hold a greenlet parked in `ref`, or none: NO_REF. */
static void settle(struct cprof_recorder *recorder, uint32_t place, uint32_t ref)
{
    uint64_t weight_ns = parked.total_ns - parked.seen_total_ns[place];

    parked.seen_total_ns[place] = parked.total_ns;
    if (ref != CPROF_NO_REF) {
        (void)cprof_record_add(recorder, ref, (int64_t)weight_ns, 1);
        atomic_fetch_add(&recorder->slot->counters.off_cpu_weight_ns, weight_ns);
        atomic_fetch_add(&recorder->slot->counters.off_cpu_looks, 1);
    }
}

/* False: the thread woke up, and nothing is known. */
static bool look_at_place(const struct cprof_parked_look *look, uint32_t place)
{
    struct cprof_greenlet *greenlet = cprof_greenlet_at(place);
    uint32_t ref = CPROF_NO_REF;

    if (greenlet) {
        uint32_t birth = atomic_load(&greenlet->birth);
        uintptr_t address = atomic_load(&greenlet->address);

        ref = address ? find_stack(look, address) : CPROF_NO_REF;
        if (ref == CPROF_NO_REF && !look->stands_still(look->thread)) {
            return false;
        }
        greenlet->birth_seen = birth;
        greenlet->ref = ref;
    }
    settle(look->recorder, place, ref);
    return true;
}

void cprof_parked_look(const struct cprof_parked_look *look)
{
    uint32_t places = cprof_greenlets_places();
    uint32_t begin = parked.first_place < places ? parked.first_place : 0;

    advance(look->now_ns, look->gap_mean_ns);
    for (uint32_t i = 0; i < places; i++) {
        parked.first_place = (begin + i) % places;
        if (!look_at_place(look, parked.first_place)) {
            break;
        }
    }
    say_what_is_missing();
}

void cprof_parked_miss(uint64_t now_ns, uint64_t gap_mean_ns)
{
    advance(now_ns, gap_mean_ns);
}

void cprof_parked_book(struct cprof_recorder *recorder, uint64_t now_ns, uint64_t gap_mean_ns)
{
    advance(now_ns, gap_mean_ns);
    for (uint32_t place = 0; place < cprof_greenlets_places(); place++) {
        struct cprof_greenlet *greenlet = cprof_greenlet_at(place);
        bool is_known = greenlet && greenlet->birth_seen == atomic_load(&greenlet->birth);

        settle(recorder, place, is_known ? greenlet->ref : CPROF_NO_REF);
    }
}

void cprof_parked_forget(void)
{
    for (struct cprof_greenlet *greenlet = cprof_greenlet_next(NULL); greenlet;
         greenlet = cprof_greenlet_next(greenlet)) {
        greenlet->ref = CPROF_NO_REF;
    }
    memset(parked.seen_total_ns, 0, cprof_greenlets_places() * sizeof(parked.seen_total_ns[0]));
    parked.looked_ns = 0;
    parked.passed_ns = 0;
    parked.total_ns = 0;
}
