/* profile.c - see profile.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "profile.h"

#include <stdlib.h>

#include "pprof_writer.h"

void cprof_profile_init(struct cprof_profile *profile)
{
    *profile = (struct cprof_profile){.bytes = NULL};
    cprof_table_init(&profile->table);
}

void cprof_profile_reset(struct cprof_profile *profile)
{
    cprof_table_reset(&profile->table);
    cprof_pprof_writer_drop(profile->writer);
    free(profile->bytes);
    *profile = (struct cprof_profile){.bytes = NULL};
}

bool cprof_profile_pack_step(struct cprof_profile *profile)
{
    if (profile->bytes) {
        return false;
    }
    if (!profile->writer) {
        profile->writer = cprof_pprof_writer_create(&profile->table);
    }
    return profile->writer && cprof_pprof_writer_step(profile->writer);
}

bool cprof_profile_pack(struct cprof_profile *profile, struct cprof_error *error)
{
    struct cprof_pprof_writer *writer;

    while (cprof_profile_pack_step(profile)) {
    }
    if (profile->bytes) {
        return true;
    }
    writer = profile->writer;
    profile->writer = NULL;
    if (!writer) {
        return cprof_fail(error, "no memory for a profile of %zu samples",
                          profile->table.sample_count);
    }
    return cprof_pprof_writer_finish(writer, &profile->bytes, &profile->byte_count, error);
}
