/* harvest.h - makes profiles, as tables, of what stands in a segment: of a window at once, or of
 * one part after the other.
 *
 * Memory    one slot's copy at a time, and the tables, which are bounded (memory_share.h).
 * Time      is cut into steps: one slot's log is read, or merged for one kind, or a part of a file
 *           is made.
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
#include "../profile/running.h"
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

    /* The share of the profiler in the slot that is worst off without looks that give way
     * (cprof_ledger_firm_ns): that share, the share in all, what of it goes with the number of
     * samples, and which slot that is. */
    double worst_firm_percent; /* CPROF_OVERHEAD_UNKNOWN, both: no slot can tell */
    double worst_percent;
    double worst_samples_percent;
    uint32_t worst_kind; /* enum cprof_slot_kind */
    uint32_t worst_number;

    uint64_t samples;     /* that gave a stack, of all slots */
    uint64_t duration_ns; /* that was sampled */

    /* Of the last part; empty unless stacks carry the marks of their requests. */
    struct cprof_running running;

    bool memory_refused; /* in a slot: records found no memory */

    /* Time in stacks that found no room in a log, in the slot that has most of it, and which slot
     * that is. */
    uint64_t log_full_ns;   /* 0: all found room */
    uint32_t log_full_kind; /* enum cprof_slot_kind */
    uint32_t log_full_number;
    uint64_t others; /* stacks that became "[other]", in the profile that has most of them */
};

/* A window's profiles while they are made. */
struct cprof_making;

/* What is read. All is borrowed, but for the window, until the making ends; of a part that others
 * follow, base and end until it is read. */
struct cprof_harvest_source {
    const struct cprof_segment *segment;
    const struct cprof_config *config;
    const struct cprof_window *window;
    /* What the logs said when the window began and, where others sample on, when it ended; zero:
     * nothing was counted then, and what they say when they are read. */
    const struct cprof_snapshot *base, *end;
    struct cprof_symbols *symbols; /* names of native functions; NULL: none */
    size_t table_bytes;            /* of each profile at most, where memory is bounded */
};

enum cprof_step { CPROF_STEP_MORE, CPROF_STEP_DONE, CPROF_STEP_FAILED };

/* Begins to merge the logs of the window's epoch, of all slots, less what `base` says, into one
 * profile for each of the window's kinds; each log is read once, so that the profiles agree.
 * Changes nothing in the segment. NULL without memory. */
struct cprof_making *cprof_making_begin(const struct cprof_harvest_source *source,
                                        struct cprof_error *error) CPROF_MUST_USE;
/* Goes on with a later part of the same window, of a later epoch: the logs were given back between
 * the two. The part before it was read. */
void cprof_making_next_part(struct cprof_making *making, const struct cprof_harvest_source *source);
/* No part follows the one that is read, or was. */
void cprof_making_complete(struct cprof_making *making);
/* Does a part of the work. Done: the logs are read and, once the making is complete, the profiles
 * are made; large ones are packed, too. */
enum cprof_step cprof_making_step(struct cprof_making *making, struct cprof_error *error);
/* What the largest table has at present, by its book. */
size_t cprof_making_table_bytes(const struct cprof_making *making);
/* The profiles, which stay the making's; count and kinds are set at any time. */
struct cprof_harvest *cprof_making_harvest(struct cprof_making *making);
/* NULL is fine. */
void cprof_making_end(struct cprof_making *making);

/* All steps at once. The caller ends it with cprof_harvest_reset, after an error, too; count and
 * kinds are then set all the same. */
bool cprof_harvest_make(struct cprof_harvest *harvest, const struct cprof_segment *segment,
                        const struct cprof_config *config, const struct cprof_window *window,
                        const struct cprof_snapshot *base, struct cprof_symbols *symbols,
                        struct cprof_error *error) CPROF_MUST_USE;
void cprof_harvest_reset(struct cprof_harvest *harvest);

#endif
