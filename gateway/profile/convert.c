/* convert.c - see convert.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collapsed.h"
#include "difference.h"
#include "filter.h"
#include "flame_page.h"
#include "pprof.h"
#include "speedscope.h"
#include "text_report.h"

#define TOP_COUNT 50u

static const struct {
    const char *name;
    const char *media_type;
} formats[CPROF_FORMAT_COUNT] = {
    [CPROF_FORMAT_PPROF] = {"pprof", "application/octet-stream"},
    [CPROF_FORMAT_COLLAPSED] = {"collapsed", "text/plain; charset=utf-8"},
    [CPROF_FORMAT_SPEEDSCOPE] = {"speedscope", "application/json"},
    [CPROF_FORMAT_TOP] = {"top", "text/plain; charset=utf-8"},
    [CPROF_FORMAT_HTML] = {"html", "text/html; charset=utf-8"},
};

bool cprof_format_by_name(enum cprof_format *format, const char *name)
{
    for (unsigned i = 0; i < CPROF_FORMAT_COUNT; i++) {
        if (strcmp(formats[i].name, name) == 0) {
            *format = (enum cprof_format)i;
            return true;
        }
    }
    return false;
}

const char *cprof_format_name(enum cprof_format format)
{
    return formats[format].name;
}

const char *cprof_format_media_type(enum cprof_format format)
{
    return formats[format].media_type;
}

/* The samples that pass, in a table that the caller resets, whatever is returned. */
static bool read_filtered(struct cprof_table *out, const struct cprof_profile_bytes *profile,
                          const struct cprof_filter *filter, enum cprof_filter_detail detail,
                          struct cprof_error *error)
{
    struct cprof_table table;
    bool ok;

    if (profile->table) {
        return cprof_filter_apply(out, profile->table, filter, detail, error);
    }
    cprof_table_init(&table);
    ok = cprof_pprof_read(&table, profile->bytes, profile->byte_count, error);
    if (ok) {
        ok = cprof_filter_apply(out, &table, filter, detail, error);
    } else {
        cprof_table_init(out);
    }
    cprof_table_reset(&table);
    return ok;
}

static bool copy(uint8_t **bytes, size_t *byte_count, const struct cprof_profile_bytes *profile,
                 struct cprof_error *error)
{
    *bytes = malloc(profile->byte_count + 1);
    if (!*bytes) {
        return cprof_fail(error, "no memory for the profile");
    }
    memcpy(*bytes, profile->bytes, profile->byte_count);
    *byte_count = profile->byte_count;
    return true;
}

static bool take_text(uint8_t **bytes, size_t *byte_count, char *text, struct cprof_error *error)
{
    if (!text) {
        return cprof_fail(error, "no memory for the profile as text");
    }
    *bytes = (uint8_t *)text;
    *byte_count = strlen(text);
    return true;
}

/* The formats that are written to a stream. */
static bool write_stream(uint8_t **bytes, size_t *byte_count, const struct cprof_table *table,
                         enum cprof_format format, struct cprof_error *error)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, byte_count);
    bool ok = true;

    if (!out) {
        return cprof_fail(error, "no memory for the profile as text");
    }
    if (format == CPROF_FORMAT_COLLAPSED) {
        cprof_collapsed_write(out, table);
    } else if (format == CPROF_FORMAT_TOP) {
        ok = cprof_text_report(out, table, 1, TOP_COUNT, error);
    } else {
        ok = cprof_flame_page_write(out, table, error);
    }
    if (ferror(out) || fclose(out) != 0) {
        ok = cprof_fail(error, "no memory for the profile as text");
    }
    if (!ok) {
        free(text);
        return false;
    }
    *bytes = (uint8_t *)text;
    return true;
}

bool cprof_convert(uint8_t **bytes, size_t *byte_count, const struct cprof_profile_bytes *profile,
                   const struct cprof_filter *filter, enum cprof_format format,
                   struct cprof_error *error)
{
    /* The text report says who used the time, by tags. */
    bool keeps_all = format == CPROF_FORMAT_PPROF || format == CPROF_FORMAT_TOP;
    struct cprof_table table;
    bool ok;

    *bytes = NULL;
    *byte_count = 0;
    if (format == CPROF_FORMAT_PPROF && (!filter || filter->count == 0)) {
        return copy(bytes, byte_count, profile, error);
    }
    ok = read_filtered(&table, profile, filter,
                       keeps_all ? CPROF_FILTER_ALL : CPROF_FILTER_FUNCTIONS, error);
    if (ok && format == CPROF_FORMAT_PPROF) {
        ok = cprof_pprof_write(bytes, byte_count, &table, error);
    } else if (ok && format == CPROF_FORMAT_SPEEDSCOPE) {
        ok = take_text(bytes, byte_count, cprof_speedscope_write(&table), error);
    } else if (ok) {
        ok = write_stream(bytes, byte_count, &table, format, error);
    }
    cprof_table_reset(&table);
    return ok;
}

bool cprof_convert_difference(uint8_t **bytes, size_t *byte_count,
                              const struct cprof_profile_bytes *before,
                              const struct cprof_profile_bytes *after,
                              const struct cprof_filter *filter, struct cprof_error *error)
{
    struct cprof_table first, second;
    bool ok;

    *bytes = NULL;
    *byte_count = 0;
    ok = read_filtered(&first, before, filter, CPROF_FILTER_FUNCTIONS, error);
    if (ok) {
        ok = read_filtered(&second, after, filter, CPROF_FILTER_FUNCTIONS, error);
        if (ok && first.kind != second.kind) {
            ok = cprof_fail(error, "one profile is of CPU time, the other of wall time");
        }
        ok = ok && take_text(bytes, byte_count, cprof_difference_write(&first, &second), error);
        cprof_table_reset(&second);
    }
    cprof_table_reset(&first);
    return ok;
}
