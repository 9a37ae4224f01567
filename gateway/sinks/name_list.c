/* name_list.c - see name_list.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "name_list.h"

#include <stdlib.h>
#include <string.h>

#include "files.h"

#define FIRST_CAPACITY 64u

static int newer_first(const void *left, const void *right)
{
    return strcmp(*(char *const *)right, *(char *const *)left);
}

static bool grow(struct cprof_name_list *list)
{
    size_t capacity = list->capacity ? list->capacity * 2 : FIRST_CAPACITY;
    char **grown = reallocarray(list->names, capacity, sizeof(*grown));

    if (!grown) {
        return false;
    }
    list->names = grown;
    list->capacity = capacity;
    return true;
}

bool cprof_name_list_add(struct cprof_name_list *list, const char *name)
{
    char *copy;

    if (list->count == list->capacity && !grow(list)) {
        return false;
    }
    copy = strdup(name);
    if (!copy) {
        return false;
    }
    list->names[list->count++] = copy;
    return true;
}

void cprof_name_list_remove_old(struct cprof_name_list *list, int directory, size_t keep)
{
    if (keep == 0 || list->count <= keep) {
        return;
    }
    qsort(list->names, list->count, sizeof(*list->names), newer_first);
    for (size_t i = keep; i < list->count; i++) {
        cprof_file_remove(directory, list->names[i]);
    }
}

void cprof_name_list_reset(struct cprof_name_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->names[i]);
    }
    free(list->names);
    *list = (struct cprof_name_list){0};
}
