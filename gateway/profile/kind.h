/* kind.h - the kinds of profiles, in words. A profile has one kind, a window may ask for both.
 *
 * Callers   whatever names a kind: files, sample types, reports.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PROFILE_KIND_H
#define CPROF_PROFILE_KIND_H

#include <stdint.h>

#include "../../shared/segment/layout.h"

#define CPROF_PROFILE_KINDS 2u

/* All kinds, in the order in which a window's profiles are made and delivered. */
extern const enum cprof_kind cprof_profile_kinds[CPROF_PROFILE_KINDS];

/* "cpu" or "wall": in file names and as the sample type. `kind` is one of the array above. */
const char *cprof_kind_name(enum cprof_kind kind);

/* "CPU" or "wall", in front of "time". */
const char *cprof_kind_title(enum cprof_kind kind);

#endif
