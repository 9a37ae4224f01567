/* thread_state.c - see thread_state.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "thread_state.h"

#include <sys/types.h>

/* More interpreters or threads than any instance has; bounds a walk over torn lists. */
#define INTERPRETERS_MAX  256u
#define THREAD_STATES_MAX 8192u

bool cprof_remember_state(const struct cprof_python *python, enum cprof_peek_way way,
                          uintptr_t address, struct cprof_remembered_state *remembered)
{
    const struct cprof_python_layout *layout = &python->layout;
    uint64_t words[2], thread_id = 0;

    *remembered = (struct cprof_remembered_state){0};
    if (!cprof_peek_two_words(way, words, address + layout->tstate_id,
                              address + layout->tstate_interp) ||
        (layout->tstate_thread_id &&
         !cprof_peek_words(way, &thread_id, address + layout->tstate_thread_id, 1))) {
        return false;
    }
    *remembered = (struct cprof_remembered_state){
        .address = address,
        .id = words[0],
        .interpreter = (uintptr_t)words[1],
        .thread_id = (uintptr_t)thread_id,
    };
    return true;
}

bool cprof_state_is_still(const struct cprof_python *python, enum cprof_peek_way way,
                          const struct cprof_remembered_state *remembered)
{
    const struct cprof_python_layout *layout = &python->layout;
    uint64_t words[2];

    return remembered->address != 0 &&
           cprof_peek_two_words(way, words, remembered->address + layout->tstate_id,
                                remembered->address + layout->tstate_interp) &&
           words[0] == remembered->id && words[1] == remembered->interpreter;
}

/* Does the state at `address` run on this thread? */
static bool runs_here(const struct cprof_python *python, enum cprof_peek_way way, uintptr_t address,
                      const struct cprof_stack_bounds *stack,
                      const struct cprof_remembered_state *remembered)
{
    const struct cprof_python_layout *layout = &python->layout;
    uintptr_t word;

    if (layout->tstate_thread_id) {
        word = (uintptr_t)cprof_peek_word(way, address + layout->tstate_thread_id, 0);
        return word != 0 && word == remembered->thread_id;
    }
    word = (uintptr_t)cprof_peek_word(way, address + layout->tstate_head, 0);
    return word >= stack->low && word < stack->high;
}

static uintptr_t current_by_holder(const struct cprof_python *python, enum cprof_peek_way way,
                                   const struct cprof_stack_bounds *stack,
                                   struct cprof_remembered_state *remembered)
{
    uintptr_t holder = (uintptr_t)python->current_thread_state();

    if (holder && runs_here(python, way, holder, stack, remembered)) {
        /* Also at an address that is known: the state there may be another one by now. */
        (void)cprof_remember_state(python, way, holder, remembered);
        return holder;
    }
    if (cprof_state_is_still(python, way, remembered) &&
        runs_here(python, way, remembered->address, stack, remembered)) {
        return remembered->address;
    }
    return 0;
}

static uintptr_t current_by_caller(const struct cprof_python *python, enum cprof_peek_way way,
                                   struct cprof_remembered_state *remembered)
{
    uintptr_t own = (uintptr_t)python->current_thread_state();

    if (own) {
        (void)cprof_remember_state(python, way, own, remembered);
        return own;
    }
    return cprof_state_is_still(python, way, remembered) ? remembered->address : 0;
}

uintptr_t cprof_current_state(const struct cprof_python *python, enum cprof_peek_way way,
                              const struct cprof_stack_bounds *stack,
                              struct cprof_remembered_state *remembered)
{
    if (python->layout.current == CPROF_CURRENT_OF_HOLDER) {
        return current_by_holder(python, way, stack, remembered);
    }
    return current_by_caller(python, way, remembered);
}

uint64_t cprof_tid_of_state(const struct cprof_python *python, enum cprof_peek_way way,
                            uintptr_t state)
{
    const struct cprof_python_layout *layout = &python->layout;
    uint64_t thread_id;
    pid_t tid = 0;

    if (layout->tstate_native_thread_id) {
        return cprof_peek_word(way, state + layout->tstate_native_thread_id, 0);
    }
    /* The descriptor of a thread that has ended may be gone with its stack. */
    thread_id = cprof_peek_word(way, state + layout->tstate_thread_id, 0);
    if (!thread_id || !python->pthread_tid_offset ||
        !cprof_peek_bytes(way, &tid, (uintptr_t)thread_id + python->pthread_tid_offset,
                          sizeof(tid))) {
        return 0;
    }
    return (uint64_t)tid;
}

/* Goes on with a list of `count` states; returns how many there are now. */
static uint32_t list_interpreter(const struct cprof_python *python, enum cprof_peek_way way,
                                 uintptr_t interpreter, struct cprof_thread_of_state *states,
                                 uint32_t count, uint32_t states_max)
{
    const struct cprof_python_layout *layout = &python->layout;
    uintptr_t state = (uintptr_t)cprof_peek_word(way, interpreter + layout->interp_threads_head, 0);

    for (uint32_t i = 0; state && i < THREAD_STATES_MAX && count < states_max; i++) {
        uint64_t tid = cprof_tid_of_state(python, way, state);

        if (tid) {
            states[count++] = (struct cprof_thread_of_state){.tid = tid, .state = state};
        }
        state = (uintptr_t)cprof_peek_word(way, state + layout->tstate_next, 0);
    }
    return count;
}

uint32_t cprof_list_states(const struct cprof_python *python, enum cprof_peek_way way,
                           struct cprof_thread_of_state *states, uint32_t states_max)
{
    uintptr_t interpreter;
    uint32_t count = 0;

    if (!python->can_enumerate) {
        return 0;
    }
    interpreter = (uintptr_t)python->interpreter_head();
    for (uint32_t i = 0; interpreter && i < INTERPRETERS_MAX; i++) {
        count = list_interpreter(python, way, interpreter, states, count, states_max);
        interpreter = (uintptr_t)cprof_peek_word(way, interpreter + python->layout.interp_next, 0);
    }
    return count;
}
