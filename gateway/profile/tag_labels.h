/* tag_labels.h - the tags of a slot's stacks become labels of a table.
 *
 * Very many stacks share few tags, whose texts may be long: what a tag became is kept.
 *
 * Callers   the gateway's thread, once for each slot and profile.
 * Memory    CPROF_TAG_LABELS entries; owned by the struct, cprof_tag_labels_reset frees it. What
 *           falls out of it is made again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_TAG_LABELS_H
#define CPROF_TAG_LABELS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "log_reader.h"
#include "table.h"

#define CPROF_TAG_LABELS 16384u /* a power of two */

struct cprof_tag_label {
    uint32_t ref;        /* of the tag; CPROF_NO_REF: a free place */
    uint32_t parent_ref; /* the next tag of the chain, or CPROF_NO_REF */
    struct cprof_label label;
    bool is_wanted; /* else `label` is not set */
};

/* Fields are private. */
struct cprof_tag_labels {
    struct cprof_table *table;
    const struct cprof_log_view *view;
    struct cprof_tag_label *labels;
    uint32_t tags; /* enum cprof_tag_bit */
};

/* Both are borrowed until the end. False without memory. */
bool cprof_tag_labels_begin(struct cprof_tag_labels *labels, struct cprof_table *table,
                            const struct cprof_log_view *view, uint32_t tags) CPROF_MUST_USE;
void cprof_tag_labels_reset(struct cprof_tag_labels *labels);

/* What the tag `ref` of a sound stack is; valid until the next call. */
const struct cprof_tag_label *cprof_tag_labels_find(struct cprof_tag_labels *labels, uint32_t ref);

#endif
