/* memory_share.h - what the gateway does with its memory, cloudprofiler-gateway-memory.
 *
 * A third of the least that may be set is for the program with its libraries and connections, for
 * recent profiles and for those that wait to be sent. The rest is for windows, which are read one
 * after the other:
 *
 *     a tenth        each profile's table (profile/table.h), of which there may be two, and a
 *                    quarter of that more; windows that are made in parts share it (parts.h)
 *     a sixteenth    the copy of one slot's log; half as much again for what merging needs of it
 *     a twelfth      names of native functions (symbols/symbols.h) before a file is read, which may
 *                    add half of that; as much to read it
 *     a sixteenth    what logs said when windows began or ended beside others (snapshot.h)
 *     a sixteenth    files that wait for the disk (sinks/directory.h), and one file beyond
 *
 * On top of it comes what is made of profiles: the text of an upload (cloud/api.h), formats that
 * the endpoint converts to, what a watch gathers of slow requests (askers/watch.h), and in windows
 * that follow requests the names of those (profile/requests.h, profile/running.h).
 *
 * Callers   the gateway's thread. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_MEMORY_SHARE_H
#define CPROF_MEMORY_SHARE_H

#include <stddef.h>

#include "../../shared/base/config.h"
#include "../profile/gzip.h"

/* A profile's file, unpacked, is smaller than its table, and may not be larger than this, or nobody
 * could read it (profile/gzip.h). */
#define CPROF_MEMORY_TABLE_BYTES_MAX ((size_t)CPROF_GUNZIP_BYTES_MAX)

/* Each is SIZE_MAX without a bound, which only tests have. */
static inline size_t cprof_memory_part(const struct cprof_config *config, size_t part)
{
    return config->gateway_memory_mib > 0 ? ((size_t)config->gateway_memory_mib << 20) / part
                                          : SIZE_MAX;
}

static inline size_t cprof_memory_table_bytes(const struct cprof_config *config)
{
    size_t bytes = cprof_memory_part(config, 10);

    return bytes < CPROF_MEMORY_TABLE_BYTES_MAX ? bytes : CPROF_MEMORY_TABLE_BYTES_MAX;
}

static inline size_t cprof_memory_log_bytes(const struct cprof_config *config)
{
    return cprof_memory_part(config, 16);
}

static inline size_t cprof_memory_symbol_bytes(const struct cprof_config *config)
{
    return cprof_memory_part(config, 12);
}

static inline size_t cprof_memory_waiting_bytes(const struct cprof_config *config)
{
    return cprof_memory_part(config, 16);
}

static inline size_t cprof_memory_snapshot_bytes(const struct cprof_config *config)
{
    return cprof_memory_part(config, 16);
}

#endif
