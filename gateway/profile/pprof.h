/* pprof.h - a table as a pprof file (gzip-compressed profile.proto), and back.
 *
 * Callers   the gateway's thread, or a program that only reads files.
 * Memory    what is returned is malloc'd and the caller's.
 * Trust     a file that is read may come from anybody: sizes are bounded, every reference is
 *           checked, texts are cleaned.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PPROF_H
#define CPROF_PPROF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "table.h"

#define CPROF_PPROF_FILE_BYTES_MAX (UINT32_C(64) << 20)

/* Writes the table to *bytes, which the caller frees. Equal tables give equal bytes. The sample
 * types are sample/count and cpu/nanoseconds or wall/nanoseconds, by the table's kind; without a
 * kind it is cpu. */
bool cprof_pprof_write(uint8_t **bytes, size_t *byte_count, const struct cprof_table *table,
                       struct cprof_error *error) CPROF_MUST_USE;

/* Adds the profile in `bytes` to the table, which takes its kind from the first one; one of
 * another kind is an error. The table's time becomes the earliest, its duration the sum, its
 * period the last. Understands what cprof_pprof_write makes: those sample types, and identifiers
 * that are numbered from 1. After an error the table may hold a part of the profile. */
bool cprof_pprof_read(struct cprof_table *table, const uint8_t *bytes, size_t byte_count,
                      struct cprof_error *error) CPROF_MUST_USE;

#endif
