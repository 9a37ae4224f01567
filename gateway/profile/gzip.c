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

#define OUTPUT_BYTES_FIRST ((size_t)64 << 10)

struct cprof_gzip_stream {
    z_stream zlib;
    uint8_t *bytes;
    size_t capacity;
    size_t packed_bytes; /* that went in */
    int status;
};

struct cprof_gzip_stream *cprof_gzip_begin(void)
{
    struct cprof_gzip_stream *stream = calloc(1, sizeof(*stream));

    if (!stream) {
        return NULL;
    }
    if (deflateInit2(&stream->zlib, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS,
                     DEFLATE_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

static bool grow(struct cprof_gzip_stream *stream)
{
    size_t capacity = stream->capacity ? stream->capacity * 2 : OUTPUT_BYTES_FIRST;
    uint8_t *grown = realloc(stream->bytes, capacity);

    if (!grown) {
        stream->status = Z_MEM_ERROR;
        return false;
    }
    stream->bytes = grown;
    stream->capacity = capacity;
    stream->zlib.next_out = grown + stream->zlib.total_out;
    stream->zlib.avail_out = (uInt)(capacity - stream->zlib.total_out);
    return true;
}

static void compress_part(struct cprof_gzip_stream *stream, const void *part, size_t part_bytes,
                          int flush)
{
    stream->zlib.next_in = part;
    stream->zlib.avail_in = (uInt)part_bytes;
    do {
        if (stream->zlib.avail_out == 0 && !grow(stream)) {
            return;
        }
        stream->status = deflate(&stream->zlib, flush);
    } while (stream->status == Z_OK && stream->zlib.avail_out == 0);
    if (stream->status == Z_BUF_ERROR) {
        stream->status = Z_OK; /* there was nothing left to do */
    }
}

void cprof_gzip_add(struct cprof_gzip_stream *stream, const void *part, size_t part_bytes)
{
    if (stream->status != Z_OK) {
        return;
    }
    if (part_bytes > CPROF_GUNZIP_BYTES_MAX - stream->packed_bytes) {
        stream->status = Z_DATA_ERROR;
        return;
    }
    stream->packed_bytes += part_bytes;
    compress_part(stream, part, part_bytes, Z_NO_FLUSH);
}

void cprof_gzip_drop(struct cprof_gzip_stream *stream)
{
    if (stream) {
        (void)deflateEnd(&stream->zlib);
        free(stream->bytes);
        free(stream);
    }
}

bool cprof_gzip_end(struct cprof_gzip_stream *stream, uint8_t **bytes, size_t *byte_count,
                    struct cprof_error *error)
{
    int status;

    if (stream->status == Z_OK) {
        compress_part(stream, NULL, 0, Z_FINISH);
    }
    status = stream->status;
    if (status == Z_STREAM_END) {
        *bytes = stream->bytes;
        *byte_count = stream->zlib.total_out;
        stream->bytes = NULL;
    }
    cprof_gzip_drop(stream);
    return status == Z_STREAM_END  ? true
           : status == Z_MEM_ERROR ? cprof_fail(error, "no memory to compress the profile")
           : status == Z_DATA_ERROR
               ? cprof_fail(error, "the profile is too large")
               : cprof_fail(error, "cannot compress the profile (zlib: %d)", status);
}

bool cprof_gzip(uint8_t **bytes, size_t *byte_count, const uint8_t *packed, size_t packed_bytes,
                struct cprof_error *error)
{
    struct cprof_gzip_stream *stream = cprof_gzip_begin();

    if (!stream) {
        return cprof_fail(error, "no memory to compress the profile");
    }
    cprof_gzip_add(stream, packed, packed_bytes);
    return cprof_gzip_end(stream, bytes, byte_count, error);
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
