/* filter.c - see filter.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "filter.h"

#include <stdlib.h>
#include <string.h>

/* Room for the locations and labels of one sample. */
struct scratch {
    uint32_t *locations;
    struct cprof_label *labels;
};

static bool has_tag(const struct cprof_table *table, const struct cprof_sample *sample,
                    const struct cprof_filter_term *term)
{
    for (uint32_t i = 0; i < sample->label_count; i++) {
        const struct cprof_label *label = &table->label_pool[sample->first_label + i];

        if (strcmp(cprof_table_text_at(table, label->key), term->key) == 0 &&
            strcmp(cprof_table_text_at(table, label->value), term->value) == 0) {
            return true;
        }
    }
    return false;
}

static bool passes(const struct cprof_table *table, const struct cprof_sample *sample,
                   const struct cprof_filter *filter)
{
    for (size_t i = 0; filter && i < filter->count; i++) {
        if (!has_tag(table, sample, &filter->terms[i])) {
            return false;
        }
    }
    return true;
}

static uint32_t copy_location(struct cprof_table *out, const struct cprof_table *table,
                              uint32_t number, enum cprof_filter_detail detail)
{
    const struct cprof_location *location = &table->locations[number];
    const struct cprof_location function_alone = {.function = location->function};

    return cprof_table_copy_location(
        out, table, detail == CPROF_FILTER_FUNCTIONS ? &function_alone : location);
}

static void copy_sample(struct cprof_table *out, const struct cprof_table *table,
                        const struct cprof_sample *sample, enum cprof_filter_detail detail,
                        const struct scratch *scratch)
{
    struct cprof_sample_key key = {
        .locations = scratch->locations, .labels = scratch->labels, .depth = sample->depth};

    for (uint32_t i = 0; i < sample->depth; i++) {
        scratch->locations[i] =
            copy_location(out, table, table->location_pool[sample->first_location + i], detail);
    }
    for (uint32_t i = 0; detail == CPROF_FILTER_ALL && i < sample->label_count; i++) {
        const struct cprof_label *label = &table->label_pool[sample->first_label + i];

        scratch->labels[i].key = cprof_table_copy_text(out, table, label->key);
        scratch->labels[i].value = cprof_table_copy_text(out, table, label->value);
        key.label_count++;
    }
    cprof_table_add_sample(out, &key, sample->count, sample->value_ns);
}

bool cprof_filter_apply(struct cprof_table *out, const struct cprof_table *table,
                        const struct cprof_filter *filter, enum cprof_filter_detail detail,
                        struct cprof_error *error)
{
    struct scratch scratch = {
        .locations = calloc(table->location_pool_used + 1, sizeof(*scratch.locations)),
        .labels = calloc(table->label_pool_used + 1, sizeof(*scratch.labels)),
    };
    bool ok = scratch.locations && scratch.labels;

    cprof_table_init(out);
    out->kind = table->kind;
    out->time_unix_ns = table->time_unix_ns;
    out->duration_ns = table->duration_ns;
    out->period_ns = table->period_ns;
    for (size_t i = 0; ok && i < table->sample_count; i++) {
        if (passes(table, &table->samples[i], filter)) {
            copy_sample(out, table, &table->samples[i], detail, &scratch);
        }
    }
    for (size_t i = 0; ok && i < table->comment_count; i++) {
        cprof_table_comment(out, "%s", cprof_table_text_at(table, table->comments[i]));
    }
    free(scratch.locations);
    free(scratch.labels);
    return ok && !out->failed ? true : cprof_fail(error, "no memory for the filtered profile");
}
