/* select.h - a part of a table, by its samples' labels, added to another table.
 *
 * Callers   the gateway's thread. Pure.
 * Memory    the tables are the caller's. A table that runs out of memory says so by `failed`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SELECT_H
#define CPROF_SELECT_H

#include <stddef.h>
#include <stdint.h>

#include "table.h"

struct cprof_label_text {
    const char *key;
    const char *value;
};

#define CPROF_SELECT_ADDED_MAX 4u

enum cprof_select_detail {
    CPROF_SELECT_NO_LABELS = 1,
    CPROF_SELECT_NO_LINES = 2,
    CPROF_SELECT_NO_PLACES = 4, /* addresses of native code */
};

struct cprof_selection {
    const struct cprof_label_text *wanted; /* samples that have all of these */
    size_t wanted_count;
    const char *dropped;                  /* a key that is left out; NULL: none */
    uint32_t leaves_out;                  /* enum cprof_select_detail: what then is equal is one */
    const struct cprof_label_text *added; /* to each, at most CPROF_SELECT_ADDED_MAX */
    size_t added_count;
};

/* The text of the sample's label; NULL: it has none. Valid until a text is added. */
const char *cprof_label_of(const struct cprof_table *table, const struct cprof_sample *sample,
                           const char *key);

/* Adds the samples of `from` that are wanted to `to`, which is another table, with its kind and
 * period. Returns their number. */
size_t cprof_select(struct cprof_table *to, const struct cprof_table *from,
                    const struct cprof_selection *selection);

#endif
