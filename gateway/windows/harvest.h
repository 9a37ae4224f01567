/* harvest.h - makes profiles, as tables, of what stands in a segment.
 *
 * Callers   the gateway's thread.
 * Trust     none: descriptors and logs are checked before they are used.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_HARVEST_H
#define CPROF_HARVEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../../shared/base/error.h"
#include "../../shared/segment/segment.h"
#include "../profile/kind.h"
#include "../profile/profile.h"
#include "../symbols/symbols.h"
#include "snapshot.h"

/* Copies the windows that stand in the segment, as an earlier gateway left them, to their places
 * in windows[]; takes back descriptors that make no sense. Returns the mask of those that do. */
uint32_t cprof_harvest_find_windows(const struct cprof_segment *segment,
                                    struct cprof_window windows[CPROF_WINDOWS_MAX]);

/* The profiles of one window, one a kind, and what they cost. */
struct cprof_harvest {
    struct cprof_profile profiles[CPROF_PROFILE_KINDS];
    unsigned count; /* of the kinds that the window asks for, which their tables name */

    /* The share of the profiler in the slot that paid most (ledger.h), what of it goes with the
     * number of samples, and which slot that is. */
    double worst_percent; /* CPROF_OVERHEAD_UNKNOWN: no slot can tell */
    double worst_samples_percent;
    uint32_t worst_kind; /* enum cprof_slot_kind */
    uint32_t worst_number;

    uint64_t samples; /* that gave a stack, of all slots */

    bool memory_refused; /* in a slot: records found no memory */
};

/* Merges the logs of the window's epoch, of all slots, less what `base` says (zero: nothing), into
 * one profile for each of the window's kinds; the logs are read once, so that the profiles agree.
 * Native functions get their names by `symbols`; NULL: none. Changes nothing in the segment. The
 * caller ends it with cprof_harvest_reset, after an error, too; count and kinds are then set all
 * the same. */
bool cprof_harvest_make(struct cprof_harvest *harvest, const struct cprof_segment *segment,
                        const struct cprof_config *config, const struct cprof_window *window,
                        const struct cprof_snapshot *base, struct cprof_symbols *symbols,
                        struct cprof_error *error) CPROF_MUST_USE;
void cprof_harvest_reset(struct cprof_harvest *harvest);

#endif
