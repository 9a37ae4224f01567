/* parked.c - see parked.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "parked.h"

#include <stdatomic.h>

#include "../../shared/base/log.h"
#include "../python/greenlet.h"
#include "../python/walker.h"
#include "../tags/tags.h"
#include "greenlets.h"

/* Greenlets that were looked at in vain before their layout is taken for unknown: those that
 * have not begun or have ended keep no frame. */
#define LESSONS_MAX 10000u

/* In the place of a record's reference: the stack found no room in the log. */
#define LOG_FULL_REF UINT32_MAX

static struct {
    struct cprof_greenlet_layout layout;
    uint32_t lessons;
    uint32_t context_lessons;
    bool said_unknown, said_left_out;
    /* Of the present window. */
    uint64_t looked_ns;   /* when the last look was, 0: not yet */
    int64_t passed_ns;    /* time that has passed and is in no weight; may be negative */
    uint64_t total_ns;    /* the weights of all looks so far */
    uint32_t places;      /* places below this have a total below */
    uint32_t first_place; /* where the next look begins: the last one came so far */
    /* What the total was when a look last saw what is in the place, or that nothing is. */
    uint64_t seen_total_ns[CPROF_GREENLETS_MAX];
} parked;

/* What the window lacks is the most that any of its looks has met. */
static void count_left_out(struct cprof_recorder *recorder)
{
    _Atomic uint64_t *counter = &recorder->slot->counters[CPROF_COUNTER_GREENLETS_LEFT_OUT];
    uint32_t left_out = cprof_greenlets_left_out();

    if (left_out > atomic_load(counter)) {
        atomic_store(counter, left_out);
    }
    if (left_out && !parked.said_left_out) {
        parked.said_left_out = true;
        cprof_log(CPROF_LOG_WARNING, "more than %u greenlets: %u are not in wall profiles",
                  CPROF_GREENLETS_MAX, left_out);
    }
}

static void say_what_is_missing(struct cprof_recorder *recorder)
{
    if (parked.lessons == LESSONS_MAX && !parked.said_unknown) {
        parked.said_unknown = true;
        cprof_log(CPROF_LOG_WARNING,
                  "this release of greenlet keeps its frames where they are not found: wall "
                  "profiles show the thread alone and no greenlet that waits");
    }
    count_left_out(recorder);
}

static bool may_learn_frame(const struct cprof_parked_look *look)
{
    return parked.layout.frame == 0 && parked.lessons < LESSONS_MAX && look->stands_still;
}

static bool may_learn_context(void)
{
    return parked.layout.frame != 0 && parked.layout.context == 0 &&
           parked.context_lessons < LESSONS_MAX && cprof_tag_scopes_exist();
}

/* Not each greenlet teaches. What is known of the layout must be known before the first one is
 * looked at, or those that come before the one that does would pass for greenlets that are not
 * parked, or that serve no request, as long as the thread sleeps. */
static void learn_layout(const struct cprof_parked_look *look)
{
    enum cprof_peek_way way = look->context->way;
    struct cprof_greenlet *greenlet;

    for (greenlet = cprof_greenlet_next(NULL); greenlet && may_learn_frame(look);
         greenlet = cprof_greenlet_next(greenlet)) {
        parked.lessons++;
        (void)cprof_greenlet_learn(look->python, way, atomic_load(&greenlet->address),
                                   &parked.layout);
    }
    for (greenlet = cprof_greenlet_next(NULL); greenlet && may_learn_context();
         greenlet = cprof_greenlet_next(greenlet)) {
        parked.context_lessons++;
        (void)cprof_greenlet_learn_context(look->python, way, atomic_load(&greenlet->address),
                                           &parked.layout);
    }
}

/* What proves that a parked stack stood still. */
struct proof {
    bool counts_switches;
    uint64_t switches;
};

static struct proof begin_proof(const struct cprof_parked_look *look)
{
    struct proof proof = {0};

    proof.counts_switches = cprof_greenlet_switches(
        look->python, look->context->way, &parked.layout, look->thread_state, &proof.switches);
    return proof;
}

static bool is_proven(const struct cprof_parked_look *look, const struct proof *proof)
{
    struct proof now;

    if (look->stands_still && look->stands_still(look->thread)) {
        return true;
    }
    /* What was read before must not be read after the number, whatever the machine prefers. */
    atomic_thread_fence(memory_order_acquire);
    now = begin_proof(look);
    return proof->counts_switches && now.counts_switches && now.switches == proof->switches;
}

/* The frame of a greenlet that is parked, or 0. */
static uintptr_t find_frame(const struct cprof_parked_look *look, uintptr_t address)
{
    return parked.layout.frame
               ? cprof_greenlet_frame(look->python, look->context->way, &parked.layout, address)
               : 0;
}

/* What is set in the context of a parked greenlet. */
static void see_tags(const struct cprof_parked_look *look, uintptr_t address,
                     struct cprof_seen_tags *seen)
{
    uintptr_t context = 0;

    if (cprof_tag_scopes_exist()) {
        context = cprof_greenlet_context(look->python, look->context->way, &parked.layout, address);
    }
    cprof_tags_see_context(look->context->way, context, seen);
}

enum seen {
    SEEN_NOTHING, /* nothing could be proved */
    SEEN_PARKED,
    SEEN_LOG_FULL,  /* parked in a stack that found no room */
    SEEN_ELSEWHERE, /* it runs, has not begun or has ended */
};

/* Finds the record of the greenlet's stack, if it is parked. */
static enum seen find_stack(const struct cprof_parked_look *look, uintptr_t address, uint32_t *ref)
{
    struct cprof_sample sample = {
        .tag_ref = atomic_load(&look->thread->tag_ref),
        .kind = CPROF_STACK_OFF_CPU,
        .state = CPROF_STATE_GREENLET,
    };
    struct cprof_seen_tags seen_tags;
    struct cprof_tag_list tags;
    enum cprof_walk outcome = CPROF_WALK_UNREADABLE;
    bool truncated = false;
    struct proof proof = begin_proof(look);
    enum cprof_recorded recorded;
    uintptr_t frame;

    atomic_thread_fence(memory_order_acquire);
    cprof_record_expect(look->recorder, look->context);
    frame = find_frame(look, address);
    if (frame) {
        outcome = cprof_walk_parked(look->python, look->context->way, frame, look->context->raw,
                                    look->recorder->max_depth, &sample.depth, &truncated);
    }
    see_tags(look, address, &seen_tags);
    if (outcome == CPROF_WALK_PARKING || find_frame(look, address) != frame ||
        !is_proven(look, &proof)) {
        return SEEN_NOTHING;
    }
    cprof_tags_intern(&seen_tags, &look->context->parts, &tags);
    sample.tags = &tags;
    sample.request = seen_tags.request;
    sample.flags = truncated ? CPROF_STACK_TRUNCATED : 0;
    if (outcome != CPROF_WALK_DONE || sample.depth == 0) {
        return SEEN_ELSEWHERE;
    }
    recorded = cprof_record_find(look->recorder, look->context, &sample, ref);
    if (recorded == CPROF_RECORDED_LOG_FULL) {
        *ref = LOG_FULL_REF;
        return SEEN_LOG_FULL;
    }
    return recorded == CPROF_RECORDED ? SEEN_PARKED : SEEN_ELSEWHERE;
}

/* At all looks so far nothing was in a place that had never been used. */
static void begin_new_places(void)
{
    uint32_t places = cprof_greenlets_places();

    for (; parked.places < places; parked.places++) {
        parked.seen_total_ns[parked.places] = parked.total_ns;
    }
}

/* A look has come, whatever it finds. Its weight must be the mean gap, on average, and must not
 * depend on what is found. That holds for the mean and what earlier gaps have left over; and so
 * the weights of all looks make up the window's time. What a look cannot see, because the thread
 * wakes up or switches, gets its weight from the next one. A look that was cut short ends a window:
 * what weights are ahead of the time then is taken back, which may be the whole of a long gap. */
static void advance(uint64_t now_ns, uint64_t gap_mean_ns)
{
    int64_t gap_ns = (int64_t)(now_ns - parked.looked_ns), weight_ns;

    begin_new_places();
    if (parked.looked_ns != 0) {
        weight_ns = parked.passed_ns + (gap_mean_ns ? (int64_t)gap_mean_ns : gap_ns);
        weight_ns = weight_ns < 0 && gap_mean_ns > 0 ? 0 : weight_ns;
        parked.passed_ns += gap_ns - weight_ns;
        parked.total_ns += (uint64_t)weight_ns;
    }
    parked.looked_ns = now_ns;
}

/* The place was seen, and found to hold a greenlet parked in `ref`, or none: NO_REF. */
static void settle(struct cprof_recorder *recorder, uint32_t place, uint32_t ref)
{
    int64_t weight_ns = (int64_t)(parked.total_ns - parked.seen_total_ns[place]);

    parked.seen_total_ns[place] = parked.total_ns;
    if (ref == LOG_FULL_REF) {
        atomic_fetch_add(&recorder->slot->counters[CPROF_COUNTER_OFF_CPU_LOG_FULL_NS],
                         weight_ns > 0 ? (uint64_t)weight_ns : 0);
    } else if (ref != CPROF_NO_REF) {
        weight_ns = cprof_record_add(recorder, ref, weight_ns, 1);
        atomic_fetch_add(&recorder->slot->counters[CPROF_COUNTER_OFF_CPU_WEIGHT_NS],
                         (uint64_t)weight_ns);
        atomic_fetch_add(&recorder->slot->counters[CPROF_COUNTER_OFF_CPU_LOOKS], 1);
    }
}

/* A thread may switch while one of its greenlets is looked at, and be still the next time. */
#define TRIES_MAX 3u

static enum seen try_at(const struct cprof_parked_look *look, const struct cprof_greenlet *greenlet,
                        uint32_t birth, uint32_t *ref)
{
    enum seen seen = SEEN_NOTHING;
    uintptr_t address = atomic_load(&greenlet->address);

    for (uint32_t tries = 0; address && seen == SEEN_NOTHING && tries < TRIES_MAX; tries++) {
        seen = find_stack(look, address, ref);
    }
    if (address == 0 || atomic_load(&greenlet->address) != address ||
        atomic_load(&greenlet->birth) != birth) {
        return SEEN_ELSEWHERE; /* it ended meanwhile */
    }
    return seen;
}

/* False: nothing is known. */
static bool look_at_place(const struct cprof_parked_look *look, uint32_t place)
{
    struct cprof_greenlet *greenlet = cprof_greenlet_at(place);
    uint32_t ref = CPROF_NO_REF;

    if (greenlet) {
        uint32_t birth = atomic_load(&greenlet->birth);
        enum seen seen = try_at(look, greenlet, birth, &ref);

        if (seen == SEEN_NOTHING) {
            return false;
        }
        greenlet->birth_seen = birth;
        greenlet->ref = seen == SEEN_ELSEWHERE ? CPROF_NO_REF : ref;
        ref = greenlet->ref;
    }
    settle(look->recorder, place, ref);
    return true;
}

void cprof_parked_look(const struct cprof_parked_look *look)
{
    uint32_t places, begin;

    advance(look->now_ns, look->gap_mean_ns);
    learn_layout(look);
    places = parked.places;
    begin = parked.first_place < places ? parked.first_place : 0;
    for (uint32_t i = 0; i < places; i++) {
        parked.first_place = (begin + i) % places;
        if (!look_at_place(look, parked.first_place) && !begin_proof(look).counts_switches) {
            break; /* the thread woke up */
        }
    }
    say_what_is_missing(look->recorder);
}

void cprof_parked_miss(uint64_t now_ns, uint64_t gap_mean_ns)
{
    advance(now_ns, gap_mean_ns);
}

void cprof_parked_book(struct cprof_recorder *recorder, uint64_t now_ns, uint64_t gap_mean_ns)
{
    advance(now_ns, gap_mean_ns);
    for (uint32_t place = 0; place < parked.places; place++) {
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
    parked.places = 0;
    parked.looked_ns = 0;
    parked.passed_ns = 0;
    parked.total_ns = 0;
}
