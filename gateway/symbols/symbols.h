/* symbols.h - the object files that processes have mapped, read once and kept over windows.
 *
 * Same file a file is believed only if device and inode are those that the process has mapped: one
 *           that was replaced meanwhile has another inode, which the mapping keeps from being used
 *           again. On overlayfs, whose mappings name a device of the layer below, the inode counts.
 * Callers   the gateway's thread.
 * Memory    what object_file.h keeps of each file. Beyond CPROF_SYMBOLS_BYTES_MAX all is forgotten
 *           at the next harvest; beyond CPROF_SYMBOLS_HARVEST_BYTES_MAX, which takes a process that
 *           means harm, no other file is read in this one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SYMBOLS_H
#define CPROF_SYMBOLS_H

#include <stdint.h>

#include "object_file.h"

#define CPROF_SYMBOLS_BYTES_MAX         (UINT32_C(64) << 20)
#define CPROF_SYMBOLS_HARVEST_BYTES_MAX (UINT32_C(256) << 20)

struct cprof_symbols; /* private to symbols.c */

/* Empty; NULL without memory. cprof_symbols_free takes NULL, too. */
struct cprof_symbols *cprof_symbols_create(void);
void cprof_symbols_free(struct cprof_symbols *symbols);

/* A new harvest: files may have been replaced since the last one. */
void cprof_symbols_begin(struct cprof_symbols *symbols);

/* A file as a process has it mapped. */
struct cprof_mapped_file {
    const char *path;
    uint64_t inode;
    uint32_t device_major;
    uint32_t device_minor;
};

/* What is known of the file; NULL: it cannot be found any more, is none, or there is no room. Valid
 * until the next cprof_symbols_begin. */
const struct cprof_object *cprof_symbols_of(struct cprof_symbols *symbols,
                                            const struct cprof_mapped_file *file);

#endif
