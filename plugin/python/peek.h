/* peek.h - reads from addresses that may be gone: a copy, or the answer that there is none.
 *
 * Two ways. Direct: a plain copy whose faulting instruction is known to our SIGSEGV and SIGBUS
 * handler, which then resumes at the failing return (no setjmp, no state, a few ns). System:
 * process_vm_readv(2) on ourselves, about 1.5 us, for when the direct way could not end well:
 * somebody took the fault handlers over, or the thread blocks these signals (a fault in a thread
 * that blocks SIGSEGV kills the process: sigaction(2)).
 *
 * Callers   handler and ticker, each with its own way to choose; installing is for the sampler's
 *           start alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PEEK_H
#define CPROF_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "../../shared/base/attributes.h"

enum cprof_peek_way {
    CPROF_PEEK_SYSTEM = 0,
    CPROF_PEEK_DIRECT = 1,
};

/* Installs the fault handlers, chained to what stood there. Once a process; in a child that was
 * forked afterwards they go on working. */
void cprof_peek_install(void);

/* The way that is safe now in the calling thread, whose signal mask is *blocked (the interrupted
 * one in a handler). Two system calls when the handlers have to be asked for. */
CPROF_SIGSAFE enum cprof_peek_way cprof_peek_choose(const sigset_t *blocked);

/* The way for reads that last while the app runs on, and may take the fault handlers over at any
 * instant (faulthandler.enable(), which then ends the process at the first failing read): the
 * system way, wherever it is allowed. */
enum cprof_peek_way cprof_peek_choose_lasting(const sigset_t *blocked);

/* Copies `words` 8-byte words, or returns false (the destination is then partly written). */
CPROF_SIGSAFE bool cprof_peek_words(enum cprof_peek_way way, uint64_t *to, uintptr_t from,
                                    size_t words);

/* Two words from two places, by one system call at most. */
CPROF_SIGSAFE bool cprof_peek_two_words(enum cprof_peek_way way, uint64_t to[2], uintptr_t first,
                                        uintptr_t second);

/* Copies bytes. */
CPROF_SIGSAFE bool cprof_peek_bytes(enum cprof_peek_way way, void *to, uintptr_t from,
                                    size_t bytes);

/* One word, or `otherwise`. */
CPROF_SIGSAFE uint64_t cprof_peek_word(enum cprof_peek_way way, uintptr_t from, uint64_t otherwise);

#endif
