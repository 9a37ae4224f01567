/* convert.h - a finished profile in another format, filtered by its samples' tags.
 *
 * Callers   the gateway's threads.
 * Memory    what is returned is malloc'd and the caller's; NULL after an error.
 * Trust     a file may come from anybody (pprof.h). Each format's texts are escaped in its own
 *           way; control characters became U+FFFD when the file was read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CONVERT_H
#define CPROF_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "select.h"

enum cprof_format {
    CPROF_FORMAT_PPROF,      /* gzip-compressed profile.proto */
    CPROF_FORMAT_COLLAPSED,  /* root;...;leaf nanoseconds, a line a stack */
    CPROF_FORMAT_SPEEDSCOPE, /* speedscope's JSON file format, one profile of all samples */
    CPROF_FORMAT_TOP,        /* the text of --top */
    CPROF_FORMAT_COUNT,
};

#define CPROF_FILTER_TERMS_MAX 16u

/* A sample passes if it has every tag with its value. Texts are borrowed. */
struct cprof_filter {
    struct cprof_label_text terms[CPROF_FILTER_TERMS_MAX];
    size_t count;
};

/* A pprof file in memory, borrowed. */
struct cprof_profile_bytes {
    const uint8_t *bytes;
    size_t byte_count;
    const struct cprof_table *table; /* that it was made of; NULL: the file is read */
};

/* By its name in a URL ("pprof", "collapsed" ...). False: there is no such format. */
bool cprof_format_by_name(enum cprof_format *format, const char *name);
const char *cprof_format_name(enum cprof_format format);
/* For Content-Type, with the character set where it has one. */
const char *cprof_format_media_type(enum cprof_format format);

/* The samples of `profile` that pass (NULL: all), in `format`. */
bool cprof_convert(uint8_t **bytes, size_t *byte_count, const struct cprof_profile_bytes *profile,
                   const struct cprof_filter *filter, enum cprof_format format,
                   struct cprof_error *error) CPROF_MUST_USE;

#endif
