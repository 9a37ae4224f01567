/* select.c - see select.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "select.h"

#include <stdlib.h>
#include <string.h>

/* Room for the locations and labels of one sample. */
struct scratch {
    uint32_t *locations;
    struct cprof_label *labels;
};

const char *cprof_label_of(const struct cprof_table *table, const struct cprof_sample *sample,
                           const char *key)
{
    for (uint32_t i = 0; i < sample->label_count; i++) {
        const struct cprof_label *label = &table->label_pool[sample->first_label + i];

        if (strcmp(cprof_table_text_at(table, label->key), key) == 0) {
            return cprof_table_text_at(table, label->value);
        }
    }
    return NULL;
}

static bool has_label(const struct cprof_table *table, const struct cprof_sample *sample,
                      const struct cprof_label_text *wanted)
{
    for (uint32_t i = 0; i < sample->label_count; i++) {
        const struct cprof_label *label = &table->label_pool[sample->first_label + i];

        if (strcmp(cprof_table_text_at(table, label->key), wanted->key) == 0 &&
            strcmp(cprof_table_text_at(table, label->value), wanted->value) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const struct cprof_table *table, const struct cprof_sample *sample,
                      const struct cprof_selection *selection)
{
    for (size_t i = 0; i < selection->wanted_count; i++) {
        if (!has_label(table, sample, &selection->wanted[i])) {
            return false;
        }
    }
    return true;
}

static uint32_t copy_location(struct cprof_table *to, const struct cprof_table *from, uint32_t id,
                              uint32_t leaves_out)
{
    struct cprof_location location = from->locations[id];

    if (leaves_out & CPROF_SELECT_NO_LINES) {
        location.line = 0;
    }
    if (leaves_out & CPROF_SELECT_NO_PLACES) {
        location.address = 0;
        location.mapping = 0;
    }
    return cprof_table_copy_location(to, from, &location);
}

static void copy_labels(struct cprof_table *to, const struct cprof_table *from,
                        const struct cprof_sample *sample, const char *dropped,
                        struct cprof_sample_key *key, struct cprof_label *labels)
{
    for (uint32_t i = 0; i < sample->label_count; i++) {
        const struct cprof_label *label = &from->label_pool[sample->first_label + i];

        if (!dropped || strcmp(cprof_table_text_at(from, label->key), dropped) != 0) {
            labels[key->label_count].key = cprof_table_copy_text(to, from, label->key);
            labels[key->label_count++].value = cprof_table_copy_text(to, from, label->value);
        }
    }
}

static void copy_sample(struct cprof_table *to, const struct cprof_table *from,
                        const struct cprof_sample *sample, const struct cprof_selection *selection,
                        const struct scratch *scratch)
{
    struct cprof_label *labels = scratch->labels;
    struct cprof_sample_key key = {
        .locations = scratch->locations, .labels = labels, .depth = sample->depth};

    for (uint32_t i = 0; i < sample->depth; i++) {
        scratch->locations[i] = copy_location(
            to, from, from->location_pool[sample->first_location + i], selection->leaves_out);
    }
    if (!(selection->leaves_out & CPROF_SELECT_NO_LABELS)) {
        copy_labels(to, from, sample, selection->dropped, &key, labels);
    }
    for (size_t i = 0; i < selection->added_count && i < CPROF_SELECT_ADDED_MAX; i++) {
        const struct cprof_label_text *added = &selection->added[i];

        labels[key.label_count].key = cprof_table_text(to, added->key, strlen(added->key));
        labels[key.label_count++].value = cprof_table_text(to, added->value, strlen(added->value));
    }
    (void)cprof_table_add_sample(to, &key, sample->count, sample->value_ns);
}

size_t cprof_select(struct cprof_table *to, const struct cprof_table *from,
                    const struct cprof_selection *selection)
{
    struct scratch scratch = {
        .locations = calloc(from->location_pool_used + 1, sizeof(*scratch.locations)),
        .labels = calloc(from->label_pool_used + CPROF_SELECT_ADDED_MAX, sizeof(*scratch.labels)),
    };
    size_t selected = 0;

    to->kind = from->kind;
    to->period_ns = from->period_ns;
    to->failed = to->failed || !scratch.locations || !scratch.labels;
    for (size_t i = 0; !to->failed && i < from->sample_count; i++) {
        if (is_wanted(from, &from->samples[i], selection)) {
            copy_sample(to, from, &from->samples[i], selection, &scratch);
            selected++;
        }
    }
    free(scratch.locations);
    free(scratch.labels);
    return selected;
}
