/* hold.h - a window that stays until its profiles are where they should be.
 *
 * Whoever hands a window's profiles over makes a hold and keeps it once; each sink that writes a
 * profile later keeps it once more. When all have let it go, the window is given back. Until then
 * its descriptor stands in shared memory, so that a gateway that follows a killed one makes the
 * same profiles again.
 *
 * Callers   the gateway's thread.
 * Memory    the hold's own; it is gone with the last who lets it go.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_HOLD_H
#define CPROF_HOLD_H

#include <stdbool.h>
#include <stdint.h>

struct cprof_held {
    /* Nobody needs the window any more. Not called if a profile was not written because the gateway
     * ends: the next one does it. */
    void (*give_back)(const struct cprof_held *held);
    void *context;
    int handle;
    uint64_t number; /* context's, to know the window by */
};

struct cprof_hold;

/* Kept once, by the caller. NULL without memory. */
struct cprof_hold *cprof_hold_create(const struct cprof_held *held);

/* NULL is fine, for both. */
void cprof_hold_keep(struct cprof_hold *hold);
void cprof_hold_let_go(struct cprof_hold *hold, bool is_settled);

#endif
