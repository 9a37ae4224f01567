/* profile.c - see profile.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "profile.h"

#include <stdlib.h>

#include "pprof.h"

void cprof_profile_init(struct cprof_profile *profile)
{
    *profile = (struct cprof_profile){.bytes = NULL};
    cprof_table_init(&profile->table);
}

void cprof_profile_reset(struct cprof_profile *profile)
{
    cprof_table_reset(&profile->table);
    free(profile->bytes);
    *profile = (struct cprof_profile){.bytes = NULL};
}

bool cprof_profile_pack(struct cprof_profile *profile, struct cprof_error *error)
{
    return profile->bytes
               ? true
               : cprof_pprof_write(&profile->bytes, &profile->byte_count, &profile->table, error);
}
