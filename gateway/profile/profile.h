/* profile.h - a finished profile: its table and, once somebody has asked for them, its bytes.
 *
 * The table travels: who filters, shows or gathers samples reads it. A file is made of it at the
 * first wish and once, however many want it.
 *
 * Callers   the gateway's thread.
 * Memory    the struct is the caller's, table and bytes the profile's own. A profile that is handed
 *           over is borrowed for the call: who needs it later keeps a copy of the bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PROFILE_H
#define CPROF_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "table.h"

struct cprof_pprof_writer;

struct cprof_profile {
    struct cprof_table table; /* also says its kind, when it began, how long it lasted */
    uint8_t *bytes;           /* a gzip-compressed pprof file; NULL: not packed yet */
    size_t byte_count;
    struct cprof_pprof_writer *writer; /* private: being packed */
};

void cprof_profile_init(struct cprof_profile *profile);
void cprof_profile_reset(struct cprof_profile *profile);

/* Does a small part of that: false, when it is done or finds no memory, which cprof_profile_pack
 * says. The table does not change from the first part on. */
bool cprof_profile_pack_step(struct cprof_profile *profile);

/* Sees to it that the bytes are there; the table does not change from then on. */
bool cprof_profile_pack(struct cprof_profile *profile, struct cprof_error *error) CPROF_MUST_USE;

#endif
