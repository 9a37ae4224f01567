/* c_stack_place.c - the part of c_stack.h that runs at the start, in no handler.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>

#include "../ground/machine.h"
#include "c_stack.h"

/* As in python/runtime.c: the first words of a descriptor. */
#define PTHREAD_BYTES 1536u

/* More than a guard and what a C library keeps at the end of a stack. */
#define BLOCK_EXTRA_MAX (1u << 20)

/* Kernels before 5.14 do not say how large their frame is. */
#define FRAME_BYTES_MIN 4096u

/* A main thread's stack without a limit: more than any has, less than what lies between it and
 * memory of other kinds. */
#define MAIN_STACK_MAX (UINT64_C(1) << 30)

struct words {
    uintptr_t block, block_bytes, guard_bytes;
};

static bool describes(const struct words *words, uintptr_t low, size_t bytes)
{
    return words->block + words->block_bytes == low + bytes && words->block_bytes >= bytes &&
           words->block_bytes - bytes < BLOCK_EXTRA_MAX && words->guard_bytes < BLOCK_EXTRA_MAX;
}

static bool find_stack(pthread_t thread, uintptr_t *low, size_t *bytes)
{
    pthread_attr_t attributes;
    void *address = NULL;
    bool found;

    if (pthread_getattr_np(thread, &attributes) != 0) {
        return false;
    }
    found = pthread_attr_getstack(&attributes, &address, bytes) == 0;
    (void)pthread_attr_destroy(&attributes);
    *low = (uintptr_t)address;
    return found;
}

/* The thread pointer stands at the same place in or behind each descriptor. */
static int32_t to_thread_pointer(void)
{
    return (int32_t)((intptr_t)pthread_self() - (intptr_t)cprof_machine_thread_pointer());
}

void cprof_c_stack_learn(pthread_t thread)
{
    const char *descriptor = (const char *)thread; /* NOLINT(performance-no-int-to-ptr) */
    unsigned long frame_bytes = getauxval(AT_MINSIGSTKSZ);
    uint32_t found = 0, places = 0;
    uintptr_t low;
    size_t bytes;

    frame_bytes = frame_bytes > FRAME_BYTES_MIN ? frame_bytes : FRAME_BYTES_MIN;
    cprof_c_stack_place.fault_bytes = frame_bytes + CPROF_TIGHT_STACK_BYTES;
    cprof_c_stack_place.offset = 0;
    if (!find_stack(thread, &low, &bytes)) {
        return;
    }
    for (uint32_t offset = 0; offset < PTHREAD_BYTES; offset += sizeof(uintptr_t)) {
        struct words words;

        memcpy(&words, descriptor + offset, sizeof(words));
        if (describes(&words, low, bytes)) {
            found = offset;
            places++;
        }
    }
    if (places == 1) {
        cprof_c_stack_place.offset = (int32_t)found + to_thread_pointer();
    }
}

uintptr_t cprof_c_stack_main_low(uintptr_t high)
{
    struct rlimit limit;
    uint64_t bytes = MAIN_STACK_MAX;

    if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < bytes) {
        bytes = limit.rlim_cur;
    }
    return high - bytes;
}
