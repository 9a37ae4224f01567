/* oncpu.h - the signal handler: one sample of the thread that it interrupted.
 *
 * Callers   cprof_oncpu_install at the sampler's start; open, close and drained by the ticker;
 *           the handler by the kernel, on any thread, also on several at once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_ONCPU_H
#define CPROF_ONCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../python/runtime.h"
#include "../record/recorder.h"
#include "../tags/request_view.h"

/* Installs the handler for CPROF_SIGNAL, for good. A handler that stood there before goes on
 * getting the signals that are not ours. It runs on the alternate stack where the thread has one.
 * `python` and `recorder` must live as long as the process; `requests` is copied. native_leaf:
 * samples in native code are to have a leaf. */
CPROF_SIGSAFE bool cprof_oncpu_install(const struct cprof_python *python,
                                       struct cprof_recorder *recorder,
                                       const struct cprof_request_view *requests, bool native_leaf);

/* From now on ticks are recorded; period_ns is what a sample stands for on average. Again: for
 * another period. */
CPROF_SIGSAFE void cprof_oncpu_open(uint64_t period_ns);

/* From now on they are not; handlers may still be inside until drained says no. */
CPROF_SIGSAFE void cprof_oncpu_close(void);
CPROF_SIGSAFE bool cprof_oncpu_drained(void);

/* Whether the signal is still ours (an app may take it). */
CPROF_SIGSAFE bool cprof_oncpu_owns_signal(void);

/* The function that the signal would call now; 0: none. */
CPROF_SIGSAFE uintptr_t cprof_oncpu_standing_handler(void);

/* Whether a tick came on a stack that is not aligned as the processor's ABI says: this machine is
 * emulated, and not well. */
CPROF_SIGSAFE bool cprof_oncpu_is_misaligned(void);

/* Lets the signal through in the calling thread, and the fault signals that guarded reads
 * need: uWSGI blocks all signals in its threads of core 1 and up (core/loop.c). */
CPROF_SIGSAFE void cprof_oncpu_unblock(void);

#endif
