/* code_deaths.c - see code_deaths.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "code_deaths.h"

#include "../ground/guard.h"

typedef void deallocator(void *object);

static deallocator *original;
static struct cprof_recorder *told;

static void on_death(void *code_object)
{
    if (cprof_guard_is_set()) {
        cprof_recorder_retire(told, (uintptr_t)code_object);
    }
    original(code_object);
}

void cprof_code_deaths_watch(const struct cprof_python *python, struct cprof_recorder *recorder)
{
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): a field of a type object that dlsym found. */
    deallocator **slot = (deallocator **)python->code_dealloc_address;

    told = recorder;
    if (*slot == on_death) {
        return;
    }
    original = *slot;
    *slot = on_death;
}
