/* symbols.h - the object files that processes have mapped, read once and kept over windows.
 *
 * Same file a file is believed only if device and inode are those that the process has mapped: one
 *           that was replaced meanwhile has another inode, which the mapping keeps from being used
 *           again. On overlayfs, whose mappings name a device of the layer below, the inode counts.
 * Callers   the gateway's thread.
 * Memory    what object_file.h keeps of each file. Beyond the bound no other file is read in this
 *           harvest, and all is forgotten at the next one. Tables of a file that are larger than
 *           half of the bound are not read: its functions have no names.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SYMBOLS_H
#define CPROF_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

#include "object_file.h"

/* Of large files: what libraries of several hundred MB need. */
#define CPROF_SYMBOLS_BYTES_MAX ((size_t)256 << 20)

struct cprof_symbols; /* private to symbols.c */

/* Empty, bounded by bytes_max, CPROF_SYMBOLS_BYTES_MAX at most; NULL without memory.
 * cprof_symbols_free takes NULL, too. */
struct cprof_symbols *cprof_symbols_create(size_t bytes_max);
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
