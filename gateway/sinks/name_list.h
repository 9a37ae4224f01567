/* name_list.h - names of files with a time in them: which of many to keep.
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

#include "../../shared/base/attributes.h"

struct cprof_name;

/* Zero: empty. */
struct cprof_name_list {
    struct cprof_name *names;
    size_t count;
    size_t capacity;
};

/* Of which files the newest stay. */
struct cprof_name_rule {
    size_t keep;         /* 0: all stay */
    const char *written; /* the file that was written just now: it stays, whatever its time */
    size_t stamp_offset; /* of the time in each name */
    const char *now;     /* the present time: files of later times go first */
};

/* Adds a copy. False: no memory; the list stays as it was. */
bool cprof_name_list_add(struct cprof_name_list *list, const char *name) CPROF_MUST_USE;

/* Removes from the directory all files of the list but those that stay. Up to their stamps names
 * must be the same. What cannot be removed stays. Returns the latest name from the future among
 * those that went, for the log, good until the list changes; NULL: there was none. */
const char *cprof_name_list_remove_old(struct cprof_name_list *list, int directory,
                                       const struct cprof_name_rule *rule);

/* Makes it empty. */
void cprof_name_list_reset(struct cprof_name_list *list);

#endif
