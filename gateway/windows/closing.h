/* closing.h - from the end of a window, or of a part of it, to its profiles; private to this room.
 *
 * Callers   the gateway's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CLOSING_H
#define CPROF_CLOSING_H

#include <stdint.h>

#include "entries.h"

/* It has ended: no sample counts any more. */
void cprof_closing_begin(struct cprof_entry *entry, uint64_t now_ns);

/* Looks at an entry that is CPROF_STAGE_CLOSING or _READING. */
void cprof_closing_look_at_closing(struct cprof_windows *windows, struct cprof_entry *entry,
                                   uint64_t now_ns);
void cprof_closing_look_at_reading(struct cprof_windows *windows, struct cprof_entry *entry);

#endif
