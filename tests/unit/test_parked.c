/* test_parked.c - see plugin/sample/parked.h: what looks book for greenlets, by clocks of its own.
 * Greenlets, interpreter and recorder are stand-ins: a greenlet's stack is named by its frame's
 * address, which is the record's number, too.
 *
 * sources: plugin/sample/parked.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/sample/parked.h"

#include <stdatomic.h>

#include "../../plugin/python/greenlet.h"
#include "../../plugin/sample/greenlets.h"
#include "../../plugin/tags/tags.h"
#include "../../shared/base/log.h"
#include "expect.h"

#define MS      INT64_C(1000000)
#define BEGIN   (5000 * MS) /* the clock when greenlets are looked at first */
#define PLACES  2u
#define RECORDS 4u

static struct cprof_greenlet places[PLACES];
static uint32_t frames[PLACES]; /* where each one is parked; 0: nowhere */
static int64_t booked_ns[RECORDS];
static struct cprof_slot slot;
static struct cprof_recorder recorder = {.slot = &slot};
static struct cprof_thread thread;
static struct cprof_context context;

uint32_t cprof_greenlets_places(void)
{
    return PLACES;
}

struct cprof_greenlet *cprof_greenlet_at(uint32_t place)
{
    return atomic_load(&places[place].address) ? &places[place] : NULL;
}

struct cprof_greenlet *cprof_greenlet_next(const struct cprof_greenlet *previous)
{
    uint32_t place = previous ? (uint32_t)(previous - places) + 1 : 0;

    while (place < PLACES && !cprof_greenlet_at(place)) {
        place++;
    }
    return place < PLACES ? &places[place] : NULL;
}

uint32_t cprof_greenlets_left_out(void)
{
    return 0;
}

bool cprof_greenlet_learn(const struct cprof_python *python, enum cprof_peek_way way,
                          uintptr_t address, struct cprof_greenlet_layout *layout)
{
    (void)python, (void)way, (void)address;
    layout->frame = 1;
    return true;
}

/* Addresses are places, from 1. */
uintptr_t cprof_greenlet_frame(const struct cprof_python *python, enum cprof_peek_way way,
                               const struct cprof_greenlet_layout *layout, uintptr_t address)
{
    (void)python, (void)way, (void)layout;
    return frames[address - 1];
}

bool cprof_greenlet_switches(const struct cprof_python *python, enum cprof_peek_way way,
                             const struct cprof_greenlet_layout *layout, uintptr_t state,
                             uint64_t *switches)
{
    (void)python, (void)way, (void)layout, (void)state;
    *switches = 1;
    return true;
}

bool cprof_greenlet_learn_context(const struct cprof_python *python, enum cprof_peek_way way,
                                  uintptr_t address, struct cprof_greenlet_layout *layout)
{
    (void)python, (void)way, (void)address, (void)layout;
    return false;
}

uintptr_t cprof_greenlet_context(const struct cprof_python *python, enum cprof_peek_way way,
                                 const struct cprof_greenlet_layout *layout, uintptr_t address)
{
    (void)python, (void)way, (void)layout, (void)address;
    return 0;
}

bool cprof_tag_scopes_exist(void)
{
    return false;
}

void cprof_tags_see_context(enum cprof_peek_way way, uintptr_t tags_context,
                            struct cprof_seen_tags *seen)
{
    (void)way;
    (void)tags_context;
    seen->request = 0;
}

void cprof_tags_intern(const struct cprof_seen_tags *seen, struct cprof_interned_parts *known,
                       struct cprof_tag_list *list)
{
    (void)seen, (void)known, (void)list;
}

static uintptr_t walked;

enum cprof_walk cprof_walk_parked(const struct cprof_python *python, enum cprof_peek_way way,
                                  uintptr_t frame_object, struct cprof_raw_frame *raw,
                                  uint32_t frames_max, uint32_t *depth, bool *truncated)
{
    (void)python, (void)way, (void)raw, (void)frames_max, (void)truncated;
    walked = frame_object;
    *depth = 1;
    return CPROF_WALK_DONE;
}

void cprof_record_expect(struct cprof_recorder *of, struct cprof_context *with)
{
    (void)of, (void)with;
}

enum cprof_recorded cprof_record_find(struct cprof_recorder *of, struct cprof_context *with,
                                      const struct cprof_sample *sample, uint32_t *ref)
{
    (void)of, (void)with, (void)sample;
    *ref = (uint32_t)walked;
    return CPROF_RECORDED;
}

/* As the recorder's own: no weight becomes less than 0. */
int64_t cprof_record_add(struct cprof_recorder *of, uint32_t ref, int64_t change_ns, uint64_t count)
{
    int64_t made_ns = booked_ns[ref] + change_ns < 0 ? -booked_ns[ref] : change_ns;

    (void)of, (void)count;
    booked_ns[ref] += made_ns;
    return made_ns;
}

void cprof_log(enum cprof_log_level level, const char *format, ...)
{
    (void)level, (void)format;
}

/* One greenlet, parked in record 1, is seen at BEGIN. */
static void begin(void)
{
    cprof_parked_forget();
    for (uint32_t i = 0; i < PLACES; i++) {
        atomic_store(&places[i].address, 0);
        frames[i] = 0;
    }
    for (uint32_t i = 0; i < RECORDS; i++) {
        booked_ns[i] = 0;
    }
    atomic_store(&slot.counters[CPROF_COUNTER_OFF_CPU_WEIGHT_NS], 0);
    atomic_store(&places[0].birth, 1);
    atomic_store(&places[0].address, 1);
    frames[0] = 1;
}

static bool stands_still(const struct cprof_thread *looked_at)
{
    return looked_at == &thread;
}

static void look(int64_t after_ms, int64_t gap_mean_ms)
{
    cprof_parked_look(&(struct cprof_parked_look){
        .recorder = &recorder,
        .context = &context,
        .thread = &thread,
        .stands_still = stands_still,
        .now_ns = (uint64_t)(BEGIN + after_ms * MS),
        .gap_mean_ns = (uint64_t)(gap_mean_ms * MS),
    });
}

static void book(int64_t after_ms, int64_t gap_mean_ms)
{
    cprof_parked_book(&recorder, (uint64_t)(BEGIN + after_ms * MS), (uint64_t)(gap_mean_ms * MS));
}

static bool is_booked(int64_t first_ms, int64_t second_ms)
{
    int64_t sum_ns = (int64_t)atomic_load(&slot.counters[CPROF_COUNTER_OFF_CPU_WEIGHT_NS]);

    return booked_ns[1] == first_ms * MS && booked_ns[2] == second_ms * MS &&
           sum_ns == (first_ms + second_ms) * MS;
}

static void a_look_weighs_the_mean_gap_whatever_this_one_was(void)
{
    begin();
    look(0, 10);
    EXPECT(is_booked(0, 0));
    look(3, 10);
    EXPECT(is_booked(10, 0));
}

static void what_was_ahead_of_the_time_is_held_back_by_later_looks(void)
{
    begin();
    look(0, 10);
    look(3, 10); /* 7 ahead */
    look(5, 10); /* 2 passed and 10 to be weighed: 3 of these are left */
    EXPECT(is_booked(13, 0));
    look(6, 2); /* 8 ahead, 2 to be weighed: nothing */
    EXPECT(is_booked(13, 0));
}

static void a_long_gaps_excess_is_taken_back_when_the_window_ends(void)
{
    begin();
    look(0, 1000);
    book(10, 1000); /* a gap that is a second in the mean was short */
    EXPECT(is_booked(1000, 0));
    book(20, 0);
    EXPECT(is_booked(20, 0));
}

static void what_is_taken_back_comes_from_where_the_greenlet_is(void)
{
    begin();
    look(0, 1000);
    look(10, 1000);
    frames[0] = 2;
    look(15, 100); /* nothing: 990 are ahead */
    EXPECT(is_booked(1000, 0));
    look(20, 0);
    EXPECT(is_booked(1000, 0)); /* no record becomes less than nothing */
}

static void time_of_looks_that_saw_nothing_comes_with_the_next_one(void)
{
    begin();
    look(0, 10);
    cprof_parked_miss((uint64_t)(BEGIN + 10 * MS), 10 * (uint64_t)MS);
    EXPECT(is_booked(0, 0));
    look(20, 10);
    EXPECT(is_booked(20, 0));
    look(25, 0);
    EXPECT(is_booked(25, 0));
}

static void a_greenlet_that_is_new_has_no_time_of_before(void)
{
    begin();
    look(0, 10);
    look(10, 10);
    atomic_store(&places[1].birth, 2);
    atomic_store(&places[1].address, 2);
    frames[1] = 2;
    look(20, 10);
    EXPECT(is_booked(20, 10));
}

static void a_window_that_ended_leaves_nothing_to_the_next(void)
{
    begin();
    look(0, 1000);
    look(10, 1000);
    cprof_parked_forget();
    look(500, 10);
    look(510, 10);
    EXPECT(is_booked(1010, 0));
}

int main(void)
{
    RUN(a_look_weighs_the_mean_gap_whatever_this_one_was);
    RUN(what_was_ahead_of_the_time_is_held_back_by_later_looks);
    RUN(a_long_gaps_excess_is_taken_back_when_the_window_ends);
    RUN(what_is_taken_back_comes_from_where_the_greenlet_is);
    RUN(time_of_looks_that_saw_nothing_comes_with_the_next_one);
    RUN(a_greenlet_that_is_new_has_no_time_of_before);
    RUN(a_window_that_ended_leaves_nothing_to_the_next);
    return 0;
}
