/* frames.h - the frames of a slot's stacks become locations of a table.
 *
 * Callers   the gateway's thread, once for each slot and profile.
 * How       the pairs (code, offset), each once, are sorted, so that each line table is walked
 *           once, from its start to its end.
 * Memory    owned by the struct; cprof_frames_reset frees it. It follows the number of different
 *           pairs, not of frames, of which a full log has very many.
 * Limits    where the table has one for its names, no more pairs are kept than could be new
 *           locations in it: frames beyond have none, and neither have those that the table
 *           refuses. The first stacks come first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_FRAMES_H
#define CPROF_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/segment/layout.h"
#include "log_reader.h"
#include "table.h"

/* Finds locations by frame. Fields are private. */
struct cprof_frames {
    struct cprof_frame_location *pairs; /* each once, in the order of the stacks */
    size_t pair_count, pair_capacity, pairs_max;
    uint32_t *index; /* of pairs, by a hash; number + 1, 0: free */
    size_t index_capacity;
    uint64_t hash_seed;
};

/* Adds the locations of all frames of these stacks (and of those that leaves among them stand on),
 * which are sound ones of `view`, to the table. False without memory. */
bool cprof_frames_resolve(struct cprof_frames *frames, struct cprof_table *table,
                          struct cprof_log_view *view, const uint32_t *stacks,
                          size_t stack_count) CPROF_MUST_USE;
void cprof_frames_reset(struct cprof_frames *frames);

/* The location of a frame of these stacks; CPROF_TABLE_NONE: it found no room. */
uint32_t cprof_frames_location(const struct cprof_frames *frames, const struct cprof_frame *frame);

#endif
