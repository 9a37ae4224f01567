/* thread_state.h - which PyThreadState the interrupted thread runs under, found without TLS
 * reads that could allocate and without pthread_getspecific (which can destroy a value that is
 * being set: glibc's pthread_setspecific stores data before sequence number).
 *
 * Up to 3.11 the interpreter only tells who holds the GIL. In 3.11 that state is ours if its
 * _PyCFrame lies on our own C stack, since only the thread that runs a state points it there; up
 * to 3.10 if it names our thread. From 3.12
 * the interpreter tells the caller's own state while it is attached. Without the GIL the state
 * remembered from before counts, as long as it is recognisably the same one: it may have been
 * freed by a C thread that left Python.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PYTHON_THREAD_STATE_H
#define CPROF_PYTHON_THREAD_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "peek.h"
#include "runtime.h"

/* A thread state and the words by which it is recognised. */
struct cprof_remembered_state {
    uintptr_t address; /* 0: none known */
    uint64_t id;
    uintptr_t interpreter;
    uintptr_t thread_id; /* pthread_self() of the state's thread, where the version keeps it */
};

/* Whether the state is still there, and still the same one. */
CPROF_SIGSAFE bool cprof_state_is_still(const struct cprof_python *python, enum cprof_peek_way way,
                                        const struct cprof_remembered_state *remembered);

/* The part of the calling thread's C stack that can hold frames of the interpreter. */
struct cprof_stack_bounds {
    uintptr_t low; /* the interrupted stack pointer */
    uintptr_t high;
};

/* Fills *remembered from the state at `address`; false (and none known) if it is unreadable. */
CPROF_SIGSAFE bool cprof_remember_state(const struct cprof_python *python, enum cprof_peek_way way,
                                        uintptr_t address,
                                        struct cprof_remembered_state *remembered);

/* The state of the calling thread, or 0 if none is known to be its own now. *remembered is
 * brought up to date. Calls the interpreter's getter: only for threads that have run Python. */
CPROF_SIGSAFE uintptr_t cprof_current_state(const struct cprof_python *python,
                                            enum cprof_peek_way way,
                                            const struct cprof_stack_bounds *stack,
                                            struct cprof_remembered_state *remembered);

/* A thread state and the native id of its thread. */
struct cprof_thread_of_state {
    uint64_t tid;
    uintptr_t state;
};

/* Lists the states of all interpreters whose threads live, at most `states_max`, and returns
 * their number: walks the interpreters' lists by guarded reads, bounded. Any of them may be gone
 * by now. For the ticker. */
uint32_t cprof_list_states(const struct cprof_python *python, enum cprof_peek_way way,
                           struct cprof_thread_of_state *states, uint32_t states_max);

/* The native id of the thread that a state belongs to, or 0. */
uint64_t cprof_tid_of_state(const struct cprof_python *python, enum cprof_peek_way way,
                            uintptr_t state);

#endif
