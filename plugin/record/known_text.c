/* known_text.c - see known_text.h. SIGSAFE FILE (tools/sigsafe).
 *
 * Ranges are only appended, and counted when they are complete: a reader needs no lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "known_text.h"

#include <stdatomic.h>

#include "../../shared/segment/layout.h"

struct range {
    uintptr_t low, high;
};

static struct {
    struct range ranges[CPROF_MAPPINGS_MAX];
    _Atomic uint32_t count;
    _Atomic bool asked_for;
} known;

void cprof_known_text_begin(void)
{
    atomic_store(&known.count, 0);
    atomic_store(&known.asked_for, false);
}

bool cprof_known_text_add(uintptr_t low, uintptr_t high)
{
    uint32_t count = atomic_load(&known.count);

    if (count == CPROF_MAPPINGS_MAX) {
        return false;
    }
    known.ranges[count] = (struct range){.low = low, .high = high};
    atomic_store_explicit(&known.count, count + 1, memory_order_release);
    return true;
}

void cprof_known_text_note(uintptr_t pc)
{
    uint32_t count = atomic_load_explicit(&known.count, memory_order_acquire);

    for (uint32_t i = 0; i < count; i++) {
        if (pc >= known.ranges[i].low && pc < known.ranges[i].high) {
            return;
        }
    }
    atomic_store(&known.asked_for, true);
}

bool cprof_known_text_is_asked_for(void)
{
    return atomic_exchange(&known.asked_for, false);
}
