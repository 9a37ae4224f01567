/* frames.h - the frames of a slot's stacks become locations of a table.
 *
 * Callers   the gateway's thread, once for each slot and profile.
 * How       all pairs (code, offset) are sorted, so that each line table is walked once, from its
 *           start to its end.
 * Memory    owned by the struct; cprof_frames_reset frees it.
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
    struct cprof_frame_location *pairs; /* sorted, each once */
    size_t pair_count;
};

/* Adds the locations of all frames of these stacks (and of those that leaves among them stand on),
 * which are sound ones of `view`, to the table. False without memory. */
bool cprof_frames_resolve(struct cprof_frames *frames, struct cprof_table *table,
                          struct cprof_log_view *view, const uint32_t *stacks,
                          size_t stack_count) CPROF_MUST_USE;
void cprof_frames_reset(struct cprof_frames *frames);

/* The location of a frame of these stacks. */
uint32_t cprof_frames_location(const struct cprof_frames *frames, const struct cprof_frame *frame);

#endif
