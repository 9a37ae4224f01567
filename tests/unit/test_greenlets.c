/* test_greenlets.c - greenlets and their type by hand; see plugin/sample/greenlets.h and
 * plugin/python/greenlet.h.
 *
 * sources: plugin/sample/greenlets.c plugin/ground/guard.c plugin/python/greenlet.c
 * sources: plugin/python/peek.c tests/unit/child.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/sample/greenlets.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../plugin/ground/guard.h"
#include "../../plugin/python/greenlet.h"
#include "child.h"
#include "expect.h"

/* The two slots of a type object that are replaced. */
struct fake_type {
    uint64_t references;
    void (*dealloc)(void *object);
    uint64_t others[20];
    void *(*new)(void *type, void *arguments, void *keywords);
};

#define GREENLETS (2 * CPROF_GREENLETS_MAX)

static struct fake_type type;
static uint64_t objects[GREENLETS][4]; /* greenlets: only their addresses matter */
static void *next_object, *last_freed;
static uint32_t news, deallocs;

static const struct cprof_python python_of_types = {
    .type_dealloc = offsetof(struct fake_type, dealloc),
    .type_new = offsetof(struct fake_type, new),
};

static void *original_new(void *called_type, void *arguments, void *keywords)
{
    EXPECT(called_type == &type && arguments == &news && keywords == &deallocs);
    news++;
    return next_object;
}

static void original_dealloc(void *object)
{
    deallocs++;
    last_freed = object;
}

static void make(uint32_t index)
{
    next_object = objects[index];
    EXPECT(type.new(&type, &news, &deallocs) == next_object);
}

static void unmake(uint32_t index)
{
    type.dealloc(objects[index]);
    EXPECT(last_freed == objects[index]);
}

static uint32_t count_noted(void)
{
    uint32_t count = 0;

    for (struct cprof_greenlet *greenlet = cprof_greenlet_next(NULL); greenlet;
         greenlet = cprof_greenlet_next(greenlet)) {
        count++;
    }
    return count;
}

static const struct cprof_greenlet *find(uint32_t index)
{
    for (struct cprof_greenlet *greenlet = cprof_greenlet_next(NULL); greenlet;
         greenlet = cprof_greenlet_next(greenlet)) {
        if (atomic_load(&greenlet->address) == (uintptr_t)objects[index]) {
            return greenlet;
        }
    }
    return NULL;
}

static void before_it_is_watched_there_are_none(void)
{
    EXPECT(!cprof_greenlet_next(NULL) && cprof_greenlets_left_out() == 0);
    EXPECT(!cprof_greenlets_belong_to((int32_t)syscall(SYS_gettid)));
}

static void a_greenlet_is_noted_when_made_and_forgotten_before_it_is_freed(void)
{
    EXPECT(cprof_greenlets_watch(&python_of_types, &type));
    EXPECT(cprof_greenlets_belong_to((int32_t)syscall(SYS_gettid)));
    EXPECT(!cprof_greenlets_belong_to(1));
    EXPECT(type.new != original_new &&type.dealloc != original_dealloc);

    make(0);
    make(1);
    EXPECT(news == 2 && count_noted() == 2 && find(0) && find(1));
    unmake(0);
    EXPECT(deallocs == 1 && count_noted() == 1 && !find(0) && find(1));
    unmake(1);
    EXPECT(count_noted() == 0);
}

static void watching_twice_is_watching_once(void)
{
    void *(*standing)(void *, void *, void *) = type.new;

    EXPECT(cprof_greenlets_watch(&python_of_types, &type) && type.new == standing);
    make(0); /* would call itself for ever */
    EXPECT(count_noted() == 1);
    unmake(0);
}

static void a_greenlet_that_could_not_be_made_is_not_noted(void)
{
    next_object = NULL;
    EXPECT(!type.new(&type, &news, &deallocs));
    EXPECT(count_noted() == 0);
}

static void one_that_was_never_noted_is_freed_all_the_same(void)
{
    make(1);
    unmake(0);
    EXPECT(count_noted() == 1);
    unmake(1);
}

static void one_that_was_made_without_the_type_is_noted_by_its_address(void)
{
    cprof_greenlets_note((uintptr_t)objects[2]);
    cprof_greenlets_note((uintptr_t)objects[2]);
    make(3);
    cprof_greenlets_note((uintptr_t)objects[3]);
    cprof_greenlets_note(0);
    EXPECT(count_noted() == 2 && find(2) && find(3));
    unmake(2);
    unmake(3);
    EXPECT(count_noted() == 0);
}

static void *make_elsewhere(void *unused)
{
    make(0);
    return unused;
}

static void greenlets_of_other_threads_are_left_out(void)
{
    pthread_t other;

    EXPECT(pthread_create(&other, NULL, make_elsewhere, NULL) == 0);
    EXPECT(pthread_join(other, NULL) == 0);
    EXPECT(count_noted() == 0 && cprof_greenlets_left_out() == 0);
    unmake(0);
}

static void make_in_child(void *unused)
{
    (void)unused;
    make(2);
    EXPECT(count_noted() == 1 && !find(2));
    unmake(1); /* one of the parent's */
    EXPECT(count_noted() == 0);
}

static void a_child_of_the_process_notes_none(void)
{
    make(1);
    EXPECT(child_run(make_in_child, NULL) == CHILD_RETURNED);
    EXPECT(find(1) && count_noted() == 1);
    unmake(1);
}

static void each_greenlet_in_a_place_has_a_birth_of_its_own(void)
{
    const struct cprof_greenlet *place = NULL;
    uint32_t last_birth = 0;

    for (uint32_t i = 0; i < 100; i++) {
        make(7);
        EXPECT(!place || find(7) == place); /* its place is free again */
        place = find(7);
        EXPECT(place && atomic_load(&place->birth) > last_birth);
        last_birth = atomic_load(&place->birth);
        unmake(7);
    }
}

static void as_many_may_come_and_go_as_like(void)
{
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < GREENLETS; i++) {
            make(i);
            if (i >= 1000) {
                unmake(i - 1000);
            }
        }
        EXPECT(count_noted() == 1000);
        for (uint32_t i = GREENLETS - 1000; i < GREENLETS; i++) {
            unmake(i);
        }
        EXPECT(count_noted() == 0);
    }
    EXPECT(cprof_greenlets_left_out() == 0);
}

static void those_without_a_place_are_counted(void)
{
    for (uint32_t i = 0; i < GREENLETS; i++) {
        make(i);
    }
    EXPECT(count_noted() == CPROF_GREENLETS_MAX);
    EXPECT(cprof_greenlets_left_out() == GREENLETS - CPROF_GREENLETS_MAX);
    unmake(GREENLETS - 1); /* has no place */
    EXPECT(count_noted() == CPROF_GREENLETS_MAX);
    EXPECT(cprof_greenlets_left_out() == GREENLETS - CPROF_GREENLETS_MAX - 1);
    for (uint32_t i = 0; i < GREENLETS - 1; i++) {
        unmake(i);
    }
    EXPECT(count_noted() == 0 && cprof_greenlets_left_out() == 0);
    unmake(5); /* of before, or of another thread */
    make(5);
    EXPECT(find(5) && cprof_greenlets_left_out() == 0);
    unmake(5);
}

/* What is learnt of greenlet objects, made here as releases of the package lay them out. */

#define POINTER_WORD   4u  /* of the object: the pointer to its implementation */
#define FRAME_WORD_NEW 13u /* of the implementation: 104 bytes in greenlet 3 */
#define FRAME_WORD_OLD 9u  /* of the object itself, up to 0.4 */

static const uint64_t frame_type = 1; /* its address is all that is asked of it */

static const struct cprof_python python_of_frames = {
    .layout = {.object_type = 8},
    .frame_type = (void *)(uintptr_t)&frame_type,
};

static uint64_t object[64], implementation[64], frame[8], other_frame[8];

static void begin_object(void)
{
    memset(object, 0, sizeof(object));
    memset(implementation, 0, sizeof(implementation));
    frame[1] = other_frame[1] = (uint64_t)(uintptr_t)&frame_type;
    object[0] = 1;
    object[1] = (uint64_t)(uintptr_t)&type;
    object[POINTER_WORD] = (uint64_t)(uintptr_t)implementation;
    implementation[0] = 0x7f0012345678; /* a vtable that is not there */
    implementation[1] = (uint64_t)(uintptr_t)object;
    implementation[5] = (uint64_t)(uintptr_t)frame + 1; /* no address of an object */
}

static uint64_t address_of(const uint64_t *words)
{
    return (uint64_t)(uintptr_t)words;
}

static bool learn(struct cprof_greenlet_layout *layout)
{
    return cprof_greenlet_learn(&python_of_frames, CPROF_PEEK_SYSTEM, (uintptr_t)object, layout);
}

static uintptr_t frame_by(const struct cprof_greenlet_layout *layout)
{
    return cprof_greenlet_frame(&python_of_frames, CPROF_PEEK_SYSTEM, layout, (uintptr_t)object);
}

static void the_place_of_the_frame_is_learnt_from_one_that_is_parked(void)
{
    struct cprof_greenlet_layout layout;

    begin_object();
    implementation[FRAME_WORD_NEW] = address_of(frame);
    EXPECT(learn(&layout));
    EXPECT(layout.implementation == POINTER_WORD * 8 && layout.frame == FRAME_WORD_NEW * 8);
    EXPECT(frame_by(&layout) == (uintptr_t)frame);

    implementation[FRAME_WORD_NEW] = address_of(other_frame);
    EXPECT(frame_by(&layout) == (uintptr_t)other_frame);
    implementation[FRAME_WORD_NEW] = 0; /* it runs */
    EXPECT(frame_by(&layout) == 0);
    implementation[FRAME_WORD_NEW] = address_of(object); /* no frame */
    EXPECT(frame_by(&layout) == 0);
    implementation[FRAME_WORD_NEW] = 0xdead0000;
    EXPECT(frame_by(&layout) == 0);
    object[POINTER_WORD] = 0;
    EXPECT(frame_by(&layout) == 0);
    object[POINTER_WORD] = 0xdead0000;
    EXPECT(frame_by(&layout) == 0);
}

static void one_that_runs_or_has_ended_teaches_nothing(void)
{
    struct cprof_greenlet_layout layout;

    begin_object();
    EXPECT(!learn(&layout) && layout.frame == 0);
    object[POINTER_WORD] = 0;
    EXPECT(!learn(&layout) && layout.frame == 0);
}

static void one_that_points_to_two_frames_teaches_nothing(void)
{
    struct cprof_greenlet_layout layout;

    begin_object();
    implementation[FRAME_WORD_NEW] = address_of(frame);
    implementation[FRAME_WORD_NEW + 3] = address_of(other_frame);
    EXPECT(!learn(&layout) && layout.frame == 0 && layout.implementation == 0);
    implementation[FRAME_WORD_NEW + 3] = address_of(frame); /* the same one twice */
    EXPECT(!learn(&layout) && layout.frame == 0);
}

static void the_old_layout_keeps_the_frame_in_the_object(void)
{
    struct cprof_greenlet_layout layout;

    begin_object();
    object[POINTER_WORD] = 0;
    object[FRAME_WORD_OLD] = address_of(frame);
    EXPECT(learn(&layout));
    EXPECT(layout.implementation == 0 && layout.frame == FRAME_WORD_OLD * 8);
    EXPECT(frame_by(&layout) == (uintptr_t)frame);

    object[POINTER_WORD] = 0x7ffc00000000; /* part of the C stack, there in old releases */
    EXPECT(learn(&layout) && layout.implementation == 0 && layout.frame == FRAME_WORD_OLD * 8);
    object[FRAME_WORD_OLD + 1] = address_of(other_frame);
    EXPECT(!learn(&layout));
}

static void without_the_frames_type_nothing_is_learnt(void)
{
    struct cprof_python unknown = python_of_frames;
    struct cprof_greenlet_layout layout = {0};

    begin_object();
    implementation[FRAME_WORD_NEW] = address_of(frame);
    unknown.frame_type = NULL;
    EXPECT(!cprof_greenlet_learn(&unknown, CPROF_PEEK_SYSTEM, (uintptr_t)object, &layout));
}

static void an_object_whose_memory_is_gone_teaches_nothing(void)
{
    struct cprof_greenlet_layout layout = {.implementation = POINTER_WORD * 8, .frame = 104};
    void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    EXPECT(page != MAP_FAILED);
    EXPECT(cprof_greenlet_frame(&python_of_frames, CPROF_PEEK_SYSTEM, &layout, (uintptr_t)page) ==
           0);
    EXPECT(!cprof_greenlet_learn(&python_of_frames, CPROF_PEEK_SYSTEM, (uintptr_t)page, &layout));
    EXPECT(munmap(page, 4096) == 0);
}

int main(void)
{
    type = (struct fake_type){.new = original_new, .dealloc = original_dealloc};
    EXPECT(cprof_guard_set());
    RUN(before_it_is_watched_there_are_none);
    RUN(a_greenlet_is_noted_when_made_and_forgotten_before_it_is_freed);
    RUN(watching_twice_is_watching_once);
    RUN(a_greenlet_that_could_not_be_made_is_not_noted);
    RUN(one_that_was_never_noted_is_freed_all_the_same);
    RUN(one_that_was_made_without_the_type_is_noted_by_its_address);
    RUN(greenlets_of_other_threads_are_left_out);
    RUN(a_child_of_the_process_notes_none);
    RUN(each_greenlet_in_a_place_has_a_birth_of_its_own);
    RUN(as_many_may_come_and_go_as_like);
    RUN(those_without_a_place_are_counted);
    RUN(the_place_of_the_frame_is_learnt_from_one_that_is_parked);
    RUN(one_that_runs_or_has_ended_teaches_nothing);
    RUN(one_that_points_to_two_frames_teaches_nothing);
    RUN(the_old_layout_keeps_the_frame_in_the_object);
    RUN(without_the_frames_type_nothing_is_learnt);
    RUN(an_object_whose_memory_is_gone_teaches_nothing);
    return 0;
}
