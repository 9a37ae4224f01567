/* patches.c - see patches.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "patches.h"

#include <string.h>

#define HEAD_BYTES 3u

static size_t least(size_t one, size_t other)
{
    return one < other ? one : other;
}

void fuzz_patch(void *memory, size_t memory_bytes, const uint8_t *data, size_t size)
{
    while (size > HEAD_BYTES) {
        size_t offset = ((size_t)data[0] | (size_t)data[1] << 8) % memory_bytes;
        size_t bytes = least(data[2], size - HEAD_BYTES);

        memcpy((uint8_t *)memory + offset, data + HEAD_BYTES, least(bytes, memory_bytes - offset));
        data += HEAD_BYTES + bytes;
        size -= HEAD_BYTES + bytes;
    }
}
