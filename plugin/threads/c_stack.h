/* c_stack.h - the C stack of a thread: where it lies, and how much room a handler has.
 *
 * A handler runs on the thread's alternate stack where there is one (SA_ONSTACK), else on what the
 * thread runs on. Both may be small: SIGSTKSZ was 8,192 bytes for decades, and the kernel's own
 * frame takes up to 3,376 of them with AVX-512. Below the stack may lie other memory, so the room
 * is looked at before it is used.
 *
 * Where the stack of a thread lies is known from the thread's descriptor in the C library, whose
 * layout is learnt once from a thread that is known (glibc: stackblock, stackblock_size and
 * guardsize of struct pthread; allocatestack.c). The interrupted code need not run on that stack:
 * goroutines and coroutines bring their own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_C_STACK_H
#define CPROF_C_STACK_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "../../shared/base/attributes.h"
#include "../python/thread_state.h"
#include "threads.h"

/* What the handler needs below its first frame, with nothing that faults: tests/e2e/
 * test_small_stacks.py measures it. A guarded read that fails costs a frame of the kernel's more:
 * cprof_c_stack_fault_bytes. */
#define CPROF_HANDLER_STACK_BYTES 4096u

/* With less than this no more than a counter is moved. */
#define CPROF_TIGHT_STACK_BYTES 1024u

/* Learns from `thread`, which must live, where descriptors keep their stacks. Not in a handler;
 * allocates. Where it cannot be learnt, bounds are unknown. */
void cprof_c_stack_learn(pthread_t thread);

/* The lower end of the calling thread's stack, if it is the process's main thread, whose stack
 * grows down to its limit. Not in a handler. */
uintptr_t cprof_c_stack_main_low(uintptr_t high);

/* The calling thread's stack; .low is 0 where it is not known. */
CPROF_SIGSAFE struct cprof_stack_bounds cprof_c_stack_bounds(const struct cprof_thread *thread);

/* In a handler: how many bytes it has below its frame; SIZE_MAX where that is not known.
 * `interrupted` is the handler's third argument. */
CPROF_SIGSAFE size_t cprof_c_stack_room(const ucontext_t *interrupted,
                                        const struct cprof_stack_bounds *bounds);

/* What the kernel's frame and the fault handler may take. */
CPROF_SIGSAFE size_t cprof_c_stack_fault_bytes(void);

/* What cprof_c_stack_learn found, for c_stack.c. */
struct cprof_c_stack_place {
    int32_t offset;     /* of the three words, from the thread pointer; 0: unknown */
    size_t fault_bytes; /* as above */
};
extern struct cprof_c_stack_place cprof_c_stack_place;

#endif
