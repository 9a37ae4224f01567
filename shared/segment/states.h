/* states.h - what a sleeping thread waits in, as words for people.
 *
 * Callers   naming: the gateway. Numbers: the ticker, which stores them in stack records.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_STATES_H
#define CPROF_STATES_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

#define CPROF_STATE_NAME_BYTES 32

/* What is known of a system call in which a thread sleeps. */
enum cprof_descriptor_kind {
    CPROF_DESCRIPTOR_UNKNOWN,
    CPROF_DESCRIPTOR_SOCKET,
    CPROF_DESCRIPTOR_FILE,
    CPROF_DESCRIPTOR_OTHER, /* a pipe, a terminal, an event */
};

/* The state of a thread in system call `number` of this machine; negative: in none, which is a
 * page fault. CPROF_STATE_FUTEX is told from CPROF_STATE_GIL by the caller. */
uint32_t cprof_state_of_system_call(long number, enum cprof_descriptor_kind descriptor);

/* Whether that depends on what the call's first argument, a descriptor, is. */
bool cprof_state_needs_descriptor(long number);

/* Whether a call that waits for descriptors was given none, and so only waits for time to pass:
 * time.sleep() up to CPython 3.10. `arguments`: the call's first two. */
bool cprof_state_waits_for_time(long number, const uint64_t arguments[2]);

/* The state of a thread that sleeps in the kernel's function `wchan` (proc(5)), where no system
 * call can be known. */
uint32_t cprof_state_of_kernel_function(const char *wchan);

/* The name of system call `number` of this machine; NULL: it has none here. */
const char *cprof_system_call_name(uint32_t number);

/* The state's word: "recv", "gil", or the system call's own name, "system call 1000" if it has
 * none here. Any number is sound. Returns `name`. */
const char *cprof_state_name(uint32_t state, char name[CPROF_STATE_NAME_BYTES]);

#endif
