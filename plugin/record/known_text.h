/* known_text.h - which executable memory the log already describes, and whether more was met.
 *
 * The ticker copies /proc/self/maps into the log only when a sample stood in memory that the log
 * does not describe yet (mappings.h): reading it at each look would cost more than all samples.
 *
 * Callers   handlers: note; the ticker: the rest. The begin: while no handler is inside.
 * Memory    static; only what is used is ever touched.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_KNOWN_TEXT_H
#define CPROF_KNOWN_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"

/* Forgets everything: a new epoch. */
CPROF_SIGSAFE void cprof_known_text_begin(void);

/* [low, high) is described from now on. False: no room. */
CPROF_SIGSAFE bool cprof_known_text_add(uintptr_t low, uintptr_t high);

/* A sample stood at `pc`: asks for a description if there is none. */
CPROF_SIGSAFE void cprof_known_text_note(uintptr_t pc);

/* Whether it was asked for since the last call. */
CPROF_SIGSAFE bool cprof_known_text_is_asked_for(void);

#endif
