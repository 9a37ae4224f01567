/* attributes.h - the few compiler attributes that all rooms share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_ATTRIBUTES_H
#define CPROF_ATTRIBUTES_H

#define CPROF_VERSION "0.1.0"

/* The result says whether the call worked: ignoring it is a bug. */
#define CPROF_MUST_USE __attribute__((warn_unused_result))

/* Declares that a function may run in a signal handler. Such functions live in files whose
 * first line says SIGSAFE FILE; tools/sigsafe checks what those files may call. */
#define CPROF_SIGSAFE

/* A signal handler that makes its own stack aligned as the compiler expects it. Emulators of other
 * processors start handlers on a stack that is not (qemu-user before 8.2 or so), and then the
 * first instruction that needs it faults. On aarch64 the processor itself checks the stack
 * pointer's alignment. */
#if defined(__x86_64__)
#define CPROF_ALIGNS_STACK __attribute__((force_align_arg_pointer))
#else
#define CPROF_ALIGNS_STACK
#endif

#define CPROF_PRINTF(format_index, first_argument)                                                 \
    __attribute__((format(printf, format_index, first_argument)))

#endif
