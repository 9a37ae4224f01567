/* opening.h - from an order to the first sample; private to this room.
 *
 * Callers   the gateway's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_OPENING_H
#define CPROF_OPENING_H

#include <stdint.h>

#include "entries.h"

/* Looks at an entry that is CPROF_STAGE_WAITING or _SETTLING. */
void cprof_opening_look_at_waiting(struct cprof_windows *windows, struct cprof_entry *entry,
                                   uint64_t now_ns);
void cprof_opening_look_at_settling(struct cprof_windows *windows, struct cprof_entry *entry,
                                    uint64_t now_ns);

/* Makes entry->window known to the slots, which sample for it from now on. */
void cprof_opening_publish(struct cprof_windows *windows, struct cprof_entry *entry);

#endif
