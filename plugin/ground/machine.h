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

/* The instruction that enters the kernel, which stands right before the interrupted one when a
 * tick was delivered on the return from a system call. */
#define CPROF_MACHINE_SYSCALL_BYTES 2u
#define CPROF_MACHINE_SYSCALL_CODE  UINT32_C(0x050f) /* 0f 05 */

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

#define CPROF_MACHINE_SYSCALL_BYTES 4u
#define CPROF_MACHINE_SYSCALL_CODE  UINT32_C(0xd4000001) /* svc #0 */

#else
#error "uwsgi-cloudprofiler runs on x86-64 and aarch64 Linux only"
#endif

#endif
