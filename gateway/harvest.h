/* harvest.h - makes a finished profile of what stands in a segment.
 *
 * Callers   conductor.c, one thread.
 * Trust     none: descriptors and logs are checked before they are used.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_HARVEST_H
#define CPROF_HARVEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../plugin/base/attributes.h"
#include "../plugin/base/config.h"
#include "../plugin/base/error.h"
#include "../plugin/share/segment.h"

/* Finds the window that stands in the segment, as an earlier gateway left it, and copies it to
 * *window; takes back descriptors that make no sense. Returns its index, or -1. */
int cprof_harvest_find_window(const struct cprof_segment *segment, struct cprof_window *window);

/* Merges the logs of the window's epoch, of all slots, into a gzip-compressed pprof file, which
 * the caller frees. Changes nothing in the segment. */
bool cprof_harvest_profile(uint8_t **bytes, size_t *byte_count, const struct cprof_segment *segment,
                           const struct cprof_config *config, const struct cprof_window *window,
                           struct cprof_error *error) CPROF_MUST_USE;

#endif
