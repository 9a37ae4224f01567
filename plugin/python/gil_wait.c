/* gil_wait.c - see gil_wait.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_wait.h"

#include <pthread.h>
#include <stddef.h>

/* glibc's struct _condvar_cleanup_buffer begins with a sequence number; then the variable. */
#define CONDITION_OFFSET sizeof(uint64_t)

/* The descriptor of the thread, or 0. A state may name another thread's, or none that lives. */
static uintptr_t find_descriptor(const struct cprof_python *python, enum cprof_peek_way way,
                                 uintptr_t state, pid_t tid)
{
    uintptr_t descriptor;
    pid_t owner = 0;

    if (!state || !python->pthread_tid_offset || !python->pthread_cleanup_offset) {
        return 0;
    }
    descriptor = (uintptr_t)cprof_peek_word(way, state + python->layout.tstate_owner, 0);
    if (!descriptor ||
        !cprof_peek_bytes(way, &owner, descriptor + python->pthread_tid_offset, sizeof(owner))) {
        return 0;
    }
    return owner == tid ? descriptor : 0;
}

bool cprof_gil_is_awaited(const struct cprof_python *python, enum cprof_peek_way way,
                          uintptr_t state, pid_t tid)
{
    uintptr_t descriptor = find_descriptor(python, way, state, tid), handler, argument, condition;

    if (!descriptor) {
        return false;
    }
    handler = (uintptr_t)cprof_peek_word(way, descriptor + python->pthread_cleanup_offset, 0);
    if (!handler) {
        return false;
    }
    argument = (uintptr_t)cprof_peek_word(
        way, handler + offsetof(struct _pthread_cleanup_buffer, __arg), 0);
    condition = argument ? (uintptr_t)cprof_peek_word(way, argument + CONDITION_OFFSET, 0) : 0;
    return condition >= python->gil_low && condition < python->gil_high;
}
