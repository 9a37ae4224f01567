/* hand_over.c - see hand_over.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "hand_over.h"

void cprof_hand_over(const struct cprof_sinks *sinks, struct cprof_harvest *harvest,
                     const struct cprof_why *why)
{
    for (unsigned i = 0; harvest && i < harvest->count; i++) {
        cprof_sinks_deliver(sinks, &harvest->profiles[i], why);
    }
}
