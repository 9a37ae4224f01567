/* guard.c - see guard.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "guard.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

/* At least one page on every machine. */
#define GUARD_BYTES 65536u

/* Written once, before the handler is installed. */
static _Atomic uint32_t *guard_word;

/* In the same page: a child has no ticker. */
static _Atomic uint32_t *reading_word;

bool cprof_guard_set(void)
{
    if (!guard_word) {
        void *page =
            mmap(NULL, GUARD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (page == MAP_FAILED || madvise(page, GUARD_BYTES, MADV_WIPEONFORK) != 0) {
            return false;
        }
        guard_word = page;
        reading_word = guard_word + 1;
    }
    atomic_store(guard_word, 1);
    return true;
}

void cprof_guard_clear(void)
{
    if (guard_word) {
        atomic_store(guard_word, 0);
    }
}

bool cprof_guard_is_set(void)
{
    return guard_word && atomic_load_explicit(guard_word, memory_order_acquire) != 0;
}

bool cprof_guard_begin_reading(void)
{
    atomic_store(reading_word, 1);
    return cprof_guard_is_set();
}

void cprof_guard_end_reading(void)
{
    atomic_store(reading_word, 0);
}

bool cprof_guard_is_reading(void)
{
    return reading_word && atomic_load(reading_word) != 0;
}
