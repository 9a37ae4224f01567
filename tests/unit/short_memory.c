/* short_memory.c - see short_memory.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "short_memory.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "expect.h"

void short_memory_open(struct short_memory *memory, size_t bytes)
{
    memory->bytes = bytes;
    memory->fd = memfd_create("short memory", MFD_CLOEXEC);
    EXPECT(memory->fd >= 0);
    memory->start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);
    EXPECT(memory->start != MAP_FAILED);
}

void short_memory_close(struct short_memory *memory)
{
    EXPECT(munmap(memory->start, memory->bytes) == 0);
    close(memory->fd);
}

void short_memory_allow(struct short_memory *memory, size_t bytes)
{
    EXPECT(ftruncate(memory->fd, (off_t)bytes) == 0);
}

size_t short_memory_used(const struct short_memory *memory)
{
    struct stat status;

    EXPECT(fstat(memory->fd, &status) == 0);
    return (size_t)status.st_blocks * 512;
}
