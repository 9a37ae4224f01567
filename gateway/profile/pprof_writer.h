/* pprof_writer.h - writes a table as a pprof file, part by part.
 *
 * The message is written in parts of some entries each, which are compressed at once: of the
 * message, which takes several times the table's memory, no more than a part ever stands in memory.
 *
 * Callers   the gateway's thread, or a program that only reads files.
 * Memory    the writer is malloc'd; the compressed bytes so far, and one part.
 * Time      a step writes CPROF_PPROF_STEP_ENTRIES entries at most.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PPROF_WRITER_H
#define CPROF_PPROF_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "table.h"

#define CPROF_PPROF_STEP_ENTRIES 64u

struct cprof_pprof_writer;

/* The table is borrowed and does not change until the end. NULL without memory. */
struct cprof_pprof_writer *
cprof_pprof_writer_create(const struct cprof_table *table) CPROF_MUST_USE;

/* Writes the next part. False: there is none left. */
bool cprof_pprof_writer_step(struct cprof_pprof_writer *writer);

/* Frees the writer. After the last step: the file, which the caller frees. */
bool cprof_pprof_writer_finish(struct cprof_pprof_writer *writer, uint8_t **bytes,
                               size_t *byte_count, struct cprof_error *error) CPROF_MUST_USE;
/* Before that: nothing. NULL is fine. */
void cprof_pprof_writer_drop(struct cprof_pprof_writer *writer);

#endif
