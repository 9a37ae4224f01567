/* guard.h - "this process samples": a word that every child of the process finds cleared.
 *
 * The app forks (os.fork, multiprocessing), and such a child inherits our handler, our death
 * hook and our static data. The word lies in a page of its own that the kernel wipes in children
 * (MADV_WIPEONFORK, Linux 4.14; madvise(2)); every entry point of ours asks it first.
 *
 * Callers   set and clear: the sampler's start and the process's end. Asking: anywhere.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_GUARD_H
#define CPROF_GUARD_H

#include <stdbool.h>

#include "../../shared/base/attributes.h"

/* Maps the page (once) and sets the word. False, with errno set, if the kernel refuses. */
bool cprof_guard_set(void) CPROF_MUST_USE;

/* Clears the word for good: the process is ending. */
CPROF_SIGSAFE void cprof_guard_clear(void);

CPROF_SIGSAFE bool cprof_guard_is_set(void);

/* The ticker brackets its reads of the interpreter's memory, which is freed when the process
 * ends. Begin: false if it is ending; end is to be called in either case. */
bool cprof_guard_begin_reading(void) CPROF_MUST_USE;
void cprof_guard_end_reading(void);

/* Whether the ticker may be reading right now: for the end of the process, after the clearing. */
CPROF_SIGSAFE bool cprof_guard_is_reading(void);

#endif
