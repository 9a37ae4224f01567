/* native.h - what lies at the addresses of native leaves, as locations of a table.
 *
 * Names     "deflate [libz.so.1]", or "[libz.so.1]" where the function is not known, "[vdso]",
 *           "[anonymous memory]" for code that is in no file, "[unknown]" where the process said
 *           nothing of the address, or two different things. Nothing is guessed.
 * Addresses a function is one location, at the address that its file gives it, whatever place the
 *           file had in a process: the same in all workers.
 * Callers   the gateway's thread, once for each slot and profile.
 * Trust     mappings come from a worker; texts are cleaned.
 * Memory    one entry for each mapping, freed by the reset.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_NATIVE_H
#define CPROF_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../symbols/symbols.h"
#include "log_reader.h"
#include "table.h"

/* Fields are private. */
struct cprof_native {
    const struct cprof_log_view *view;
    struct cprof_symbols *symbols;
    struct cprof_native_mapping *mappings; /* by process and address */
    size_t mapping_count;
};

/* Sorts the mappings of the view. `symbols` may be NULL: then no file is looked at. False without
 * memory. */
bool cprof_native_begin(struct cprof_native *native, const struct cprof_log_view *view,
                        struct cprof_symbols *symbols) CPROF_MUST_USE;
void cprof_native_reset(struct cprof_native *native);

/* The location of a leaf. */
uint32_t cprof_native_location(struct cprof_native *native, struct cprof_table *table,
                               const struct cprof_log_leaf *leaf);

#endif
