/* once.c - see once.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "once.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

static _Atomic uint32_t own;
static _Atomic uint32_t *claimed = &own;

void cprof_once_share(void)
{
    void *page =
        mmap(NULL, sizeof(*claimed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (page != MAP_FAILED) {
        claimed = page;
    }
}

uint32_t cprof_once_claim(uint32_t bits)
{
    return bits & ~atomic_fetch_or(claimed, bits);
}
