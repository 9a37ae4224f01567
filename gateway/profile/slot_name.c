/* slot_name.c - see slot_name.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "slot_name.h"

#include <stdio.h>

#include "../../shared/segment/layout.h"

void cprof_slot_name(char name[CPROF_SLOT_NAME_BYTES], uint32_t kind, uint32_t number)
{
    static const char *const kinds[] = {[CPROF_SLOT_WORKER] = "worker",
                                        [CPROF_SLOT_MULE] = "mule",
                                        [CPROF_SLOT_SPOOLER] = "spooler"};
    const char *word =
        kind >= CPROF_SLOT_WORKER && kind <= CPROF_SLOT_SPOOLER ? kinds[kind] : "slot";

    (void)snprintf(name, CPROF_SLOT_NAME_BYTES, "%s %u", word, number);
}
