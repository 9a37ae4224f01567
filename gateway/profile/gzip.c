/* gzip.c - see gzip.h.
 *
 * SPDX-License-Identifier: MIT
 */
/* zlib then takes its input as const. */
#define ZLIB_CONST
#include "gzip.h"

#include <stdlib.h>
#include <zlib.h>

#define GZIP_WINDOW_BITS  (15 + 16) /* zlib: the largest window, in a gzip wrapper */
#define DEFLATE_MEM_LEVEL 8         /* zlib's default */

bool cprof_gzip(uint8_t **bytes, size_t *byte_count, const uint8_t *packed, size_t packed_bytes,
                struct cprof_error *error)
{
    z_stream stream = {0};
    uLong bound;
    int status;

    if (packed_bytes > CPROF_GUNZIP_BYTES_MAX) {
        return cprof_fail(error, "the profile is too large (%zu bytes)", packed_bytes);
    }
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS,
                     DEFLATE_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        return cprof_fail(error, "no memory to compress the profile");
    }
    bound = deflateBound(&stream, packed_bytes);
    *bytes = malloc(bound);
    if (!*bytes) {
        (void)deflateEnd(&stream);
        return cprof_fail(error, "no memory to compress the profile");
    }
    stream.next_in = packed;
    stream.avail_in = (uInt)packed_bytes;
    stream.next_out = *bytes;
    stream.avail_out = (uInt)bound;
    status = deflate(&stream, Z_FINISH); /* the bound promises that one call is enough */
    *byte_count = stream.total_out;
    (void)deflateEnd(&stream);
    if (status != Z_STREAM_END) {
        free(*bytes);
        *bytes = NULL;
        return cprof_fail(error, "cannot compress the profile (zlib says %d)", status);
    }
    return true;
}

bool cprof_gunzip(uint8_t **packed, size_t *packed_bytes, const uint8_t *bytes, size_t byte_count,
                  struct cprof_error *error)
{
    z_stream stream = {.next_in = bytes, .avail_in = (uInt)byte_count};
    size_t capacity = 64 * 1024;
    int status = Z_OK;

    *packed = NULL;
    *packed_bytes = 0;
    if (byte_count > CPROF_GUNZIP_BYTES_MAX) {
        return cprof_fail(error, "it is too large (%zu bytes)", byte_count);
    }
    if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK) {
        return cprof_fail(error, "no memory to decompress it");
    }
    while (status == Z_OK && capacity < CPROF_GUNZIP_BYTES_MAX) {
        uint8_t *grown = realloc(*packed, capacity * 2);

        if (!grown) {
            break;
        }
        *packed = grown;
        capacity *= 2;
        stream.next_out = *packed + stream.total_out;
        stream.avail_out = (uInt)(capacity - stream.total_out);
        status = inflate(&stream, Z_NO_FLUSH);
        if (status == Z_OK && stream.avail_out > 0) {
            break; /* the input ended first */
        }
    }
    *packed_bytes = stream.total_out;
    (void)inflateEnd(&stream);
    if (status != Z_STREAM_END) {
        free(*packed);
        *packed = NULL;
        return cprof_fail(error, "it is no complete gzip file, or too large");
    }
    return true;
}
