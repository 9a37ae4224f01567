/* machine.h - the few words that are read from the processor, per architecture.
 *
 * Callers   signal handlers: what was interrupted, where the thread's stack ends.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_MACHINE_H
#define CPROF_MACHINE_H

#include <stdint.h>
#include <ucontext.h>

#if defined(__x86_64__)

static inline uintptr_t cprof_machine_pc(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
}

static inline void cprof_machine_set_pc(ucontext_t *context, uintptr_t pc)
{
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)pc;
}

static inline uintptr_t cprof_machine_stack_pointer(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
}

/* The thread's control block. glibc and musl put it at the upper end of the stack that they
 * make for a thread (not for the main thread). The first word of the block is its address. */
static inline uintptr_t cprof_machine_thread_pointer(void)
{
    uintptr_t pointer;

    __asm__("mov %%fs:0, %0" : "=r"(pointer));
    return pointer;
}

#elif defined(__aarch64__)

static inline uintptr_t cprof_machine_pc(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.pc;
}

static inline void cprof_machine_set_pc(ucontext_t *context, uintptr_t pc)
{
    context->uc_mcontext.pc = pc;
}

static inline uintptr_t cprof_machine_stack_pointer(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.sp;
}

static inline uintptr_t cprof_machine_thread_pointer(void)
{
    uintptr_t pointer;

    __asm__("mrs %0, tpidr_el0" : "=r"(pointer));
    return pointer;
}

#else
#error "uwsgi-cloudprofiler runs on x86-64 and aarch64 Linux only"
#endif

#endif
