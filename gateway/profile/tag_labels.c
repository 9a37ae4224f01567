/* tag_labels.c - see tag_labels.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tag_labels.h"

#include <stdlib.h>
#include <string.h>

#include "../../shared/base/config.h"

bool cprof_tag_labels_begin(struct cprof_tag_labels *labels, struct cprof_table *table,
                            const struct cprof_log_view *view, uint32_t tags)
{
    *labels = (struct cprof_tag_labels){.table = table, .view = view, .tags = tags};
    labels->labels = calloc(CPROF_TAG_LABELS, sizeof(*labels->labels));
    return labels->labels != NULL;
}

void cprof_tag_labels_reset(struct cprof_tag_labels *labels)
{
    free(labels->labels);
    *labels = (struct cprof_tag_labels){0};
}

/* `worker`, `state` and `gil` are the gateway's to say. */
static bool is_wanted(const struct cprof_tag_labels *labels, const char *key)
{
    if (strcmp(key, "thread") == 0) {
        return labels->tags & CPROF_TAG_THREAD;
    }
    return strcmp(key, "worker") != 0 && strcmp(key, "state") != 0 && strcmp(key, "gil") != 0;
}

static void make(const struct cprof_tag_labels *labels, struct cprof_tag_label *made, uint32_t ref)
{
    struct cprof_log_tag tag;

    made->ref = ref;
    made->parent_ref = cprof_log_tag(labels->view, ref, &tag);
    made->is_wanted = is_wanted(labels, tag.key);
    if (made->is_wanted) {
        made->label.key = cprof_table_text(labels->table, tag.key, strlen(tag.key));
        made->label.value = cprof_table_text(labels->table, tag.value, strlen(tag.value));
    }
}

/* The seed is the table's: a stranger cannot choose references that share a place. */
const struct cprof_tag_label *cprof_tag_labels_find(struct cprof_tag_labels *labels, uint32_t ref)
{
    uint64_t hash = (ref ^ labels->table->hash_seed) * UINT64_C(0x9e3779b97f4a7c15);
    struct cprof_tag_label *found = &labels->labels[(hash >> 32) & (CPROF_TAG_LABELS - 1)];

    if (found->ref != ref) {
        make(labels, found, ref);
    }
    return found;
}
