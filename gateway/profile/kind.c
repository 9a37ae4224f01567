/* kind.c - see kind.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kind.h"

const enum cprof_kind cprof_profile_kinds[CPROF_PROFILE_KINDS] = {CPROF_KIND_CPU, CPROF_KIND_WALL};

const char *cprof_kind_name(enum cprof_kind kind)
{
    return kind == CPROF_KIND_WALL ? "wall" : "cpu";
}

const char *cprof_kind_title(enum cprof_kind kind)
{
    return kind == CPROF_KIND_WALL ? "wall" : "CPU";
}
