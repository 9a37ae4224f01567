/* merge.h - the logs of all slots become one profile.
 *
 * Callers   the gateway's thread, for each kind of a window: begin, each slot, end. A window that
 *           was made in parts, between which the logs were given back: each slot of the first one,
 *           then for each other one cprof_merge_next_part and each slot again.
 * Kinds     a CPU profile has the stacks on the CPU. A wall profile has the same with the same
 *           values, and beside them the sleeping stacks and the run-queue time; a label `state`
 *           tells them apart.
 * Numbers   each slot's CPU time is reconciled with its process's CPU clock, so that the profile's
 *           total is CPU time that was used; what was found by the engine itself stands in the
 *           comments. Counts are never changed, nor is time off the CPU.
 * Memory    the table is the caller's; what a slot needs while it is merged is freed at once. Sums
 *           of its counters are kept until the end.
 * Bounds    optional, of the table's bytes. Each slot gets a part of what is left, by how full its
 *           log is; there its stacks with most time come first. The others become samples "[other]"
 *           with the slot's worker and their state: all sums are those of a profile without bounds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_MERGE_H
#define CPROF_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../../shared/base/error.h"
#include "../../shared/segment/layout.h"
#include "../symbols/symbols.h"
#include "comments.h"
#include "log_reader.h"
#include "slot_sums.h"
#include "table.h"

/* What became "[other]". */
struct cprof_merge_others {
    uint64_t stacks; /* records of them, each once; at most so many, where it is a difference */
    uint64_t count;  /* their samples */
    uint64_t value_ns;
};

/* One profile under way. Fields are private. */
struct cprof_merge {
    struct cprof_table *table;
    struct cprof_symbols *symbols; /* NULL: native functions get no names */
    const struct cprof_config *config;
    uint32_t tags;           /* enum cprof_tag_bit */
    bool follows_requests;   /* samples say which request they belong to; idle threads are kept */
    uint64_t cpu_ns_max;     /* more CPU time no process can use in the window */
    uint64_t waiting_ns_max; /* nor more time can all its threads be off the CPU */
    struct cprof_window_parts parts;
    uint64_t end_ns; /* of the last part */
    struct cprof_slot_sums sums;
    size_t name_bytes_max, sample_bytes_max; /* 0: no bounds */
    uint64_t fill_left;                      /* bytes in the logs that were not merged yet */
    struct cprof_merge_others others;
};

/* Starts the profile of `window`, which has been checked, of one of its kinds, in an empty table.
 * config and table are borrowed until the end. Sums are freed by cprof_merge_end, or by
 * cprof_merge_reset. */
void cprof_merge_begin(struct cprof_merge *merge, struct cprof_table *table,
                       const struct cprof_config *config, const struct cprof_window *window,
                       enum cprof_kind kind);
void cprof_merge_reset(struct cprof_merge *merge);

/* The slots that follow are of a later part of the window, which *part says. */
void cprof_merge_next_part(struct cprof_merge *merge, const struct cprof_window *part);

/* Native functions get the names that the object files give them. `symbols` is borrowed until the
 * end; cprof_symbols_begin was called. */
void cprof_merge_use_symbols(struct cprof_merge *merge, struct cprof_symbols *symbols);

/* With the slots of this part the table shall have at most about so many bytes; `log_bytes` is what
 * all logs hold together. */
void cprof_merge_bound(struct cprof_merge *merge, size_t table_bytes, uint64_t log_bytes);

/* Adds one slot. The view can be given to the merge of another kind afterwards. */
bool cprof_merge_slot(struct cprof_merge *merge, const struct cprof_log_view *view,
                      struct cprof_error *error) CPROF_MUST_USE;

/* What was added of each slot, all parts together; valid until the end. */
const struct cprof_slot_sums *cprof_merge_sums(const struct cprof_merge *merge);

/* Adds the comments. False if the table ran out of memory at any time. */
bool cprof_merge_end(struct cprof_merge *merge, struct cprof_error *error) CPROF_MUST_USE;

#endif
