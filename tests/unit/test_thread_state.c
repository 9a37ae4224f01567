/* test_thread_state.c - thread states laid out by hand, for what a real interpreter does too
 * rarely; test_walker.c asks a real one. See plugin/python/thread_state.h.
 *
 * sources: plugin/python/thread_state.c plugin/python/peek.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/python/thread_state.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "expect.h"

struct fake_state {
    struct fake_state *next;
    uint64_t id;
    uint64_t interpreter;
    uint64_t native_thread_id;
    uintptr_t thread_id;
    uintptr_t head;
};

struct fake_interpreter {
    struct fake_interpreter *next;
    struct fake_state *threads;
};

#define STACK_LOW  UINT64_C(0x7f0000001000)
#define STACK_HIGH UINT64_C(0x7f0000009000)
#define OWN_CFRAME UINT64_C(0x7f0000004000)

static const struct cprof_stack_bounds own_stack = {.low = STACK_LOW, .high = STACK_HIGH};

static struct cprof_python python;
static struct fake_interpreter *interpreters;
static void *current; /* what the interpreter's getter answers */
static struct cprof_remembered_state remembered;
static struct fake_state own, other;

static void *get_current(void)
{
    return current;
}

static void *get_interpreters(void)
{
    return interpreters;
}

static void begin(enum cprof_current_kind kind)
{
    python = (struct cprof_python){
        .layout =
            {
                .current = (uint8_t)kind,
                .tstate_next = offsetof(struct fake_state, next),
                .tstate_id = offsetof(struct fake_state, id),
                .tstate_interp = offsetof(struct fake_state, interpreter),
                .tstate_native_thread_id = offsetof(struct fake_state, native_thread_id),
                .tstate_head = offsetof(struct fake_state, head),
                .interp_next = offsetof(struct fake_interpreter, next),
                .interp_threads_head = offsetof(struct fake_interpreter, threads),
            },
        .current_thread_state = get_current,
        .interpreter_head = get_interpreters,
        .can_enumerate = true,
    };
    own = (struct fake_state){.id = 1, .interpreter = 50, .head = OWN_CFRAME};
    other = (struct fake_state){.id = 2, .interpreter = 50, .head = STACK_HIGH + 64};
    remembered = (struct cprof_remembered_state){0};
    current = NULL;
}

static uintptr_t ask(void)
{
    return cprof_current_state(&python, CPROF_PEEK_DIRECT, &own_stack, &remembered);
}

static void the_holders_state_is_ours_if_it_runs_on_our_stack(void)
{
    begin(CPROF_CURRENT_OF_HOLDER);
    current = &own;
    EXPECT(ask() == (uintptr_t)&own);
    EXPECT(remembered.address == (uintptr_t)&own && remembered.id == 1);
    EXPECT(remembered.interpreter == 50);

    own.head = STACK_LOW;
    EXPECT(ask() == (uintptr_t)&own);
    own.head = STACK_HIGH - 1;
    EXPECT(ask() == (uintptr_t)&own);
}

static void the_holders_state_is_not_ours_if_it_runs_elsewhere(void)
{
    begin(CPROF_CURRENT_OF_HOLDER);
    current = &other;
    EXPECT(ask() == 0 && remembered.address == 0);
    other.head = STACK_LOW - 1;
    EXPECT(ask() == 0);
    other.head = 0; /* it has not run yet */
    EXPECT(ask() == 0);
}

static void the_remembered_state_counts_while_another_thread_holds_the_lock(void)
{
    begin(CPROF_CURRENT_OF_HOLDER);
    current = &own;
    EXPECT(ask() == (uintptr_t)&own);

    current = &other;
    EXPECT(ask() == (uintptr_t)&own);
    current = NULL;
    EXPECT(ask() == (uintptr_t)&own);
}

static void a_remembered_state_that_left_our_stack_does_not_count(void)
{
    begin(CPROF_CURRENT_OF_HOLDER);
    current = &own;
    EXPECT(ask() == (uintptr_t)&own);

    current = NULL;
    own.head = STACK_HIGH + 8;
    EXPECT(ask() == 0);
}

static void the_callers_own_state_is_believed(void)
{
    begin(CPROF_CURRENT_OF_CALLER);
    EXPECT(ask() == 0);
    current = &own;
    EXPECT(ask() == (uintptr_t)&own);
    current = NULL;
    EXPECT(ask() == (uintptr_t)&own);
}

static void a_subinterpreters_state_takes_the_place_of_the_one_before(void)
{
    static const enum cprof_current_kind kinds[] = {CPROF_CURRENT_OF_HOLDER,
                                                    CPROF_CURRENT_OF_CALLER};

    for (size_t i = 0; i < 2; i++) {
        begin(kinds[i]);
        current = &own;
        EXPECT(ask() == (uintptr_t)&own);
        other.head = OWN_CFRAME + 64;
        current = &other;
        EXPECT(ask() == (uintptr_t)&other && remembered.address == (uintptr_t)&other);
        current = NULL;
        EXPECT(ask() == (uintptr_t)&other);
    }
}

static void a_remembered_state_that_became_another_one_does_not_count(void)
{
    static const enum cprof_current_kind kinds[] = {CPROF_CURRENT_OF_HOLDER,
                                                    CPROF_CURRENT_OF_CALLER};

    for (size_t i = 0; i < 2; i++) {
        begin(kinds[i]);
        current = &own;
        EXPECT(ask() == (uintptr_t)&own);
        current = NULL;
        own.id = 7;
        EXPECT(ask() == 0);
        own.id = 1;
        EXPECT(ask() == (uintptr_t)&own);
        own.interpreter = 51;
        EXPECT(ask() == 0);
    }
}

static void a_remembered_state_whose_memory_is_gone_does_not_count(void)
{
    struct fake_state *page =
        mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    EXPECT(page != MAP_FAILED);
    begin(CPROF_CURRENT_OF_HOLDER);
    *page = own;
    current = page;
    EXPECT(ask() == (uintptr_t)page);
    current = NULL;
    EXPECT(munmap(page, sizeof(*page)) == 0);
    EXPECT(ask() == 0);
}

static void a_new_state_at_a_known_address_is_remembered_anew(void)
{
    static const enum cprof_current_kind kinds[] = {CPROF_CURRENT_OF_HOLDER,
                                                    CPROF_CURRENT_OF_CALLER};

    for (size_t i = 0; i < 2; i++) {
        begin(kinds[i]);
        current = &own;
        EXPECT(ask() == (uintptr_t)&own && remembered.id == 1);
        own.id = 3; /* freed, and another one made in its place */
        EXPECT(ask() == (uintptr_t)&own && remembered.id == 3);
        current = NULL;
        EXPECT(ask() == (uintptr_t)&own);
    }
}

/* States as CPython keeps them up to 3.10: by pthread_self(). Nothing says where they run. */
static void begin_with_thread_ids(void)
{
    begin(CPROF_CURRENT_OF_HOLDER);
    python.layout.tstate_native_thread_id = 0;
    python.layout.tstate_thread_id = offsetof(struct fake_state, thread_id);
    own.thread_id = 1000;
    own.head = 0;
    other.thread_id = 2000;
    other.head = OWN_CFRAME;
    EXPECT(cprof_remember_state(&python, CPROF_PEEK_DIRECT, (uintptr_t)&own, &remembered));
    EXPECT(remembered.thread_id == 1000);
}

static void the_holders_state_is_ours_if_it_names_our_thread(void)
{
    struct fake_state second = {.id = 9, .interpreter = 51, .thread_id = 1000};

    begin_with_thread_ids();
    current = &own;
    EXPECT(ask() == (uintptr_t)&own);
    current = &second; /* of a subinterpreter */
    EXPECT(ask() == (uintptr_t)&second && remembered.id == 9);
}

static void the_holders_state_is_not_ours_if_it_names_another_thread(void)
{
    begin_with_thread_ids();
    current = &other;
    EXPECT(ask() == (uintptr_t)&own && remembered.address == (uintptr_t)&own);
    current = NULL;
    EXPECT(ask() == (uintptr_t)&own);
    own.id = 7; /* another state by now */
    EXPECT(ask() == 0);
    own.id = 1;
    own.thread_id = 2000;
    EXPECT(ask() == 0);
}

static void no_state_is_ours_before_our_thread_is_known(void)
{
    begin_with_thread_ids();
    remembered = (struct cprof_remembered_state){0};
    current = &own;
    EXPECT(ask() == 0);
    own.thread_id = 0;
    EXPECT(ask() == 0 && remembered.address == 0);
}

static void an_unreadable_state_is_not_remembered(void)
{
    begin(CPROF_CURRENT_OF_CALLER);
    EXPECT(!cprof_remember_state(&python, CPROF_PEEK_DIRECT, 8, &remembered));
    EXPECT(remembered.address == 0);
}

#define STATES_MAX 8

/* The first state that is listed for a thread. */
static uintptr_t find(uint64_t tid)
{
    struct cprof_thread_of_state states[STATES_MAX];
    uint32_t count = cprof_list_states(&python, CPROF_PEEK_DIRECT, states, STATES_MAX);

    EXPECT(count <= STATES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (states[i].tid == tid) {
            return states[i].state;
        }
    }
    return 0;
}

static void states_are_found_in_every_interpreter(void)
{
    struct fake_interpreter second = {.threads = &other},
                            first = {.next = &second, .threads = &own};
    struct fake_state third = {.native_thread_id = 102};

    begin(CPROF_CURRENT_OF_HOLDER);
    interpreters = &first;
    own.native_thread_id = 100;
    own.next = &third;
    other.native_thread_id = 101;

    EXPECT(find(100) == (uintptr_t)&own && find(102) == (uintptr_t)&third);
    EXPECT(find(101) == (uintptr_t)&other && find(103) == 0);
    python.can_enumerate = false;
    EXPECT(find(100) == 0);
}

/* What pthread_self() points to; what stands at its start is no thread id. */
struct fake_descriptor {
    uint8_t before[720];
    pid_t tid;
};

static void states_are_found_by_the_descriptors_of_their_threads(void)
{
    struct fake_descriptor own_descriptor = {.tid = 100};
    struct fake_descriptor other_descriptor = {.before = {101}, .tid = 101};
    struct fake_state ended = {.thread_id = 8, .next = &other}; /* its descriptor is gone */
    struct fake_state unborn = {.next = &ended};
    struct fake_interpreter first = {.threads = &own};

    begin_with_thread_ids();
    interpreters = &first;
    own.thread_id = (uintptr_t)&own_descriptor;
    own.next = &unborn;
    other.thread_id = (uintptr_t)&other_descriptor;
    python.pthread_tid_offset = offsetof(struct fake_descriptor, tid);

    EXPECT(find(100) == (uintptr_t)&own && find(101) == (uintptr_t)&other && find(102) == 0);
    own_descriptor.tid = 0; /* the thread has ended */
    EXPECT(find(100) == 0 && find(101) == (uintptr_t)&other);
    python.pthread_tid_offset = 0; /* the place of the id is not known */
    EXPECT(find(101) == 0);
}

static void a_torn_list_of_states_ends(void)
{
    struct fake_interpreter first = {.threads = &own};
    void *nowhere = (void *)UINT64_C(0x7777777777777777);

    begin(CPROF_CURRENT_OF_HOLDER);
    interpreters = &first;
    own.next = &own; /* a ring */
    EXPECT(find(100) == 0);
    own.native_thread_id = 101; /* each round finds it again */
    EXPECT(find(100) == 0 && find(101) == (uintptr_t)&own);
    own.native_thread_id = 0;
    own.next = nowhere;
    EXPECT(find(100) == 0);
    first.next = &first;
    EXPECT(find(100) == 0);
    first.next = nowhere;
    EXPECT(find(100) == 0);
    interpreters = NULL;
    EXPECT(find(100) == 0);
}

int main(void)
{
    cprof_peek_install();
    RUN(the_holders_state_is_ours_if_it_runs_on_our_stack);
    RUN(the_holders_state_is_not_ours_if_it_runs_elsewhere);
    RUN(the_remembered_state_counts_while_another_thread_holds_the_lock);
    RUN(a_remembered_state_that_left_our_stack_does_not_count);
    RUN(the_callers_own_state_is_believed);
    RUN(a_subinterpreters_state_takes_the_place_of_the_one_before);
    RUN(a_remembered_state_that_became_another_one_does_not_count);
    RUN(a_remembered_state_whose_memory_is_gone_does_not_count);
    RUN(a_new_state_at_a_known_address_is_remembered_anew);
    RUN(the_holders_state_is_ours_if_it_names_our_thread);
    RUN(the_holders_state_is_not_ours_if_it_names_another_thread);
    RUN(no_state_is_ours_before_our_thread_is_known);
    RUN(an_unreadable_state_is_not_remembered);
    RUN(states_are_found_in_every_interpreter);
    RUN(states_are_found_by_the_descriptors_of_their_threads);
    RUN(a_torn_list_of_states_ends);
    return 0;
}
