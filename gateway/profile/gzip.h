/* gzip.h - whole buffers to gzip and back, by zlib.
 *
 * Callers   the gateway's thread.
 * Memory    what is returned is malloc'd and the caller's; NULL after an error.
 * Trust     compressed input may come from anybody: what it becomes is bounded.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_GZIP_H
#define CPROF_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"

#define CPROF_GUNZIP_BYTES_MAX (UINT32_C(256) << 20)

/* Compression in parts: what is held is the compressed bytes so far. Equal input, whatever its
 * parts, gives equal output. NULL without memory. */
struct cprof_gzip_stream;

struct cprof_gzip_stream *cprof_gzip_begin(void) CPROF_MUST_USE;
/* After a failure, which cprof_gzip_end reports, it does nothing. */
void cprof_gzip_add(struct cprof_gzip_stream *stream, const void *part, size_t part_bytes);
/* Frees the stream; the caller frees *bytes. */
bool cprof_gzip_end(struct cprof_gzip_stream *stream, uint8_t **bytes, size_t *byte_count,
                    struct cprof_error *error) CPROF_MUST_USE;
/* Gives it up; NULL is fine. */
void cprof_gzip_drop(struct cprof_gzip_stream *stream);

/* Compresses `packed`; equal input gives equal output (no time stamp, no name). */
bool cprof_gzip(uint8_t **bytes, size_t *byte_count, const uint8_t *packed, size_t packed_bytes,
                struct cprof_error *error) CPROF_MUST_USE;

/* Decompresses `bytes`; more than CPROF_GUNZIP_BYTES_MAX is an error, and so is an input that
 * ends early. What follows the first gzip member is not looked at. */
bool cprof_gunzip(uint8_t **packed, size_t *packed_bytes, const uint8_t *bytes, size_t byte_count,
                  struct cprof_error *error) CPROF_MUST_USE;

#endif
