/* c_stack.c - see c_stack.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "c_stack.h"

#include "../ground/machine.h"

struct cprof_c_stack_place cprof_c_stack_place;

struct cprof_stack_bounds cprof_c_stack_bounds(const struct cprof_thread *thread)
{
    uintptr_t pointer = cprof_machine_thread_pointer();
    const uintptr_t *words;

    if (thread->stack_high) {
        return (struct cprof_stack_bounds){.low = thread->stack_low, .high = thread->stack_high};
    }
    if (cprof_c_stack_place.offset == 0) {
        return (struct cprof_stack_bounds){.high = pointer};
    }
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the descriptor of the calling thread. */
    words = (const uintptr_t *)(pointer + (uintptr_t)(intptr_t)cprof_c_stack_place.offset);
    return (struct cprof_stack_bounds){
        .low = words[0] ? words[0] + words[2] : 0,
        .high = pointer,
    };
}

size_t cprof_c_stack_room(const ucontext_t *interrupted, const struct cprof_stack_bounds *bounds)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t low = (uintptr_t)interrupted->uc_stack.ss_sp;

    /* What the kernel wrote there is the alternate stack, used or not. */
    if (here - low < interrupted->uc_stack.ss_size) {
        return here - low;
    }
    return bounds->low && here >= bounds->low && here < bounds->high ? here - bounds->low
                                                                     : SIZE_MAX;
}

size_t cprof_c_stack_fault_bytes(void)
{
    return cprof_c_stack_place.fault_bytes;
}
