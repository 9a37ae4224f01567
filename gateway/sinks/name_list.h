/* name_list.h - names of files with a time in them, the newest first: which of many to keep.
 *
 * Callers   the sinks. One thread.
 * Memory    grows with the names added; cprof_name_list_reset frees all.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_NAME_LIST_H
#define CPROF_NAME_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "../../plugin/base/attributes.h"

/* Zero: empty. */
struct cprof_name_list {
    char **names;
    size_t count;
    size_t capacity;
};

/* Adds a copy. False: no memory; the list stays as it was. */
bool cprof_name_list_add(struct cprof_name_list *list, const char *name) CPROF_MUST_USE;

/* Removes from the directory all files of the list but the newest `keep` (none if that is 0: all
 * are kept). Names must differ in their stamps alone, or begin with the same text before them.
 * What cannot be removed stays. */
void cprof_name_list_remove_old(struct cprof_name_list *list, int directory, size_t keep);

/* Makes it empty. */
void cprof_name_list_reset(struct cprof_name_list *list);

#endif
