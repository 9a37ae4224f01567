/* top.c - see top.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "top.h"

#include <stdlib.h>

#include "profile/pprof.h"
#include "profile/table.h"
#include "profile/text_report.h"
#include "read_profile.h"

static bool add_file(struct cprof_table *table, const char *path, struct cprof_error *error)
{
    struct cprof_error reason;
    uint8_t *bytes;
    size_t byte_count = 0;
    bool ok = cprof_read_profile(&bytes, &byte_count, path, error);

    if (ok && !cprof_pprof_read(table, bytes, byte_count, &reason)) {
        ok = cprof_fail(error, "cannot use %s: %s", path, reason.text);
    }
    free(bytes);
    return ok;
}

bool cprof_top(FILE *out, char *const *paths, int path_count, uint32_t top_count,
               struct cprof_error *error)
{
    struct cprof_table table;
    bool ok = true;

    cprof_table_init(&table);
    for (int i = 0; ok && i < path_count; i++) {
        ok = add_file(&table, paths[i], error);
    }
    ok = ok && cprof_text_report(out, &table, (uint32_t)path_count, top_count, error);
    cprof_table_reset(&table);
    return ok;
}
