/* recent.h - the sink that keeps the last finished profiles, whoever ordered them, in memory.
 *
 * Callers   the gateway's thread.
 * Bounds    CPROF_RECENT_MAX profiles of CPROF_RECENT_BYTES_MAX together: the oldest goes first.
 * Failure   what finds no memory is not kept; neither is what is too large, which is logged once.
 * Memory    bytes are copied in and the room's own; a profile that is found stays valid until the
 *           next one is added.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_RECENT_H
#define CPROF_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sink.h"

#define CPROF_RECENT_MAX       32u
#define CPROF_RECENT_BYTES_MAX (UINT32_C(6) << 20)

struct cprof_recent;

struct cprof_recent_profile {
    uint64_t id; /* 1, 2, 3 ... within the life of the gateway; as they came */
    enum cprof_kind kind;
    enum cprof_window_source source;
    uint64_t start_unix_ns, duration_ns;
    uint8_t *bytes; /* a gzip-compressed pprof file */
    size_t byte_count;
};

/* NULL without memory. Ended by the sink's `destroy`. */
struct cprof_recent *cprof_recent_create(void);

/* Takes each window's profiles, slow requests' and those of harakiri. */
struct cprof_sink *cprof_recent_sink(struct cprof_recent *recent);

/* How many there are, and the profile at a place, 0 the newest. NULL: there is none. */
size_t cprof_recent_count(const struct cprof_recent *recent);
const struct cprof_recent_profile *cprof_recent_at(const struct cprof_recent *recent, size_t place);

/* NULL: it is not kept (any more). */
const struct cprof_recent_profile *cprof_recent_find(const struct cprof_recent *recent,
                                                     uint64_t id);

#endif
