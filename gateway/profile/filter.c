/* filter.c - see filter.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "filter.h"

bool cprof_filter_apply(struct cprof_table *out, const struct cprof_table *table,
                        const struct cprof_filter *filter, enum cprof_filter_detail detail,
                        struct cprof_error *error)
{
    const struct cprof_selection selection = {
        .wanted = filter ? filter->terms : NULL,
        .wanted_count = filter ? filter->count : 0,
        .leaves_out = detail == CPROF_FILTER_FUNCTIONS
                          ? CPROF_SELECT_NO_LABELS | CPROF_SELECT_NO_LINES | CPROF_SELECT_NO_PLACES
                          : 0,
    };

    cprof_table_init(out);
    out->time_unix_ns = table->time_unix_ns;
    out->duration_ns = table->duration_ns;
    (void)cprof_select(out, table, &selection);
    for (size_t i = 0; i < table->comment_count; i++) {
        cprof_table_comment(out, "%s", cprof_table_text_at(table, table->comments[i]));
    }
    return out->failed ? cprof_fail(error, "no memory for the filtered profile") : true;
}
