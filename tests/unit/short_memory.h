/* short_memory.h - a shared mapping of which only the first pages can be had: its file ends there.
 * To touch what lies behind is SIGBUS, and EFAULT by a system call, as where memory is refused.
 *
 * Names: a test that uses it says `sources: tests/unit/short_memory.c` at its top.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SHORT_MEMORY_H
#define CPROF_SHORT_MEMORY_H

#include <stddef.h>

struct short_memory {
    void *start;
    size_t bytes;
    int fd;
};

/* `bytes`, none of which can be had. */
void short_memory_open(struct short_memory *memory, size_t bytes);
void short_memory_close(struct short_memory *memory);

/* From now on the first `bytes` can be had. */
void short_memory_allow(struct short_memory *memory, size_t bytes);

/* How much of it is there. */
size_t short_memory_used(const struct short_memory *memory);

#endif
