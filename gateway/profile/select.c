/* select.c - see select.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "select.h"

#include <string.h>

/* No sample of ours has more frames or labels (merge.c); of another one the rest is left out. */
#define DEPTH_MAX  (CPROF_DEPTH_MAX + 16)
#define LABELS_MAX 32u

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

static bool is_wanted(const struct cprof_table *table, const struct cprof_sample *sample,
                      const struct cprof_selection *selection)
{
    for (size_t i = 0; i < selection->wanted_count; i++) {
        const char *value = cprof_label_of(table, sample, selection->wanted[i].key);

        if (!value || strcmp(value, selection->wanted[i].value) != 0) {
            return false;
        }
    }
    return true;
}

static void copy_labels(struct cprof_table *to, const struct cprof_table *from,
                        const struct cprof_sample *sample, const char *dropped,
                        struct cprof_sample_key *key, struct cprof_label *labels)
{
    for (uint32_t i = 0; i < sample->label_count && key->label_count < LABELS_MAX; i++) {
        const struct cprof_label *label = &from->label_pool[sample->first_label + i];

        if (!dropped || strcmp(cprof_table_text_at(from, label->key), dropped) != 0) {
            labels[key->label_count].key = cprof_table_copy_text(to, from, label->key);
            labels[key->label_count++].value = cprof_table_copy_text(to, from, label->value);
        }
    }
}

static void copy_sample(struct cprof_table *to, const struct cprof_table *from,
                        const struct cprof_sample *sample, const struct cprof_selection *selection)
{
    uint32_t locations[DEPTH_MAX];
    struct cprof_label labels[LABELS_MAX + CPROF_SELECT_ADDED_MAX];
    struct cprof_sample_key key = {.locations = locations, .labels = labels};

    for (; key.depth < sample->depth && key.depth < DEPTH_MAX; key.depth++) {
        struct cprof_location location =
            from->locations[from->location_pool[sample->first_location + key.depth]];

        if (selection->drops_addresses) {
            location.address = 0;
            location.mapping = 0;
        }
        locations[key.depth] = cprof_table_copy_location(to, from, &location);
    }
    copy_labels(to, from, sample, selection->dropped, &key, labels);
    for (size_t i = 0; i < selection->added_count && i < CPROF_SELECT_ADDED_MAX; i++) {
        const struct cprof_label_text *added = &selection->added[i];

        labels[key.label_count].key = cprof_table_text(to, added->key, strlen(added->key));
        labels[key.label_count++].value = cprof_table_text(to, added->value, strlen(added->value));
    }
    cprof_table_add_sample(to, &key, sample->count, sample->value_ns);
}

size_t cprof_select(struct cprof_table *to, const struct cprof_table *from,
                    const struct cprof_selection *selection)
{
    size_t selected = 0;

    to->kind = from->kind;
    to->period_ns = from->period_ns;
    for (size_t i = 0; i < from->sample_count; i++) {
        if (is_wanted(from, &from->samples[i], selection)) {
            copy_sample(to, from, &from->samples[i], selection);
            selected++;
        }
    }
    return selected;
}
