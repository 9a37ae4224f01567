/* name_list.c - see name_list.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "name_list.h"

#include <stdlib.h>
#include <string.h>

#include "files.h"

#define FIRST_CAPACITY 64u

enum rank { RANK_WRITTEN, RANK_PAST, RANK_FUTURE };

struct cprof_name {
    char *text;
    enum rank rank;
};

/* What goes last comes first. */
static int compare(const void *left, const void *right)
{
    const struct cprof_name *a = left, *b = right;

    return a->rank != b->rank ? (a->rank > b->rank) - (a->rank < b->rank)
                              : strcmp(b->text, a->text);
}

static bool grow(struct cprof_name_list *list)
{
    size_t capacity = list->capacity ? list->capacity * 2 : FIRST_CAPACITY;
    struct cprof_name *grown = reallocarray(list->names, capacity, sizeof(*grown));

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
    list->names[list->count++] = (struct cprof_name){.text = copy};
    return true;
}

static enum rank rank_of(const char *name, const struct cprof_name_rule *rule)
{
    if (strcmp(name, rule->written) == 0) {
        return RANK_WRITTEN;
    }
    return strncmp(name + rule->stamp_offset, rule->now, CPROF_STAMP_BYTES) > 0 ? RANK_FUTURE
                                                                                : RANK_PAST;
}

const char *cprof_name_list_remove_old(struct cprof_name_list *list, int directory,
                                       const struct cprof_name_rule *rule)
{
    const char *future = NULL;

    if (rule->keep == 0 || list->count <= rule->keep) {
        return NULL;
    }
    for (size_t i = 0; i < list->count; i++) {
        list->names[i].rank = rank_of(list->names[i].text, rule);
    }
    qsort(list->names, list->count, sizeof(*list->names), compare);
    for (size_t i = rule->keep; i < list->count; i++) {
        cprof_file_remove(directory, list->names[i].text);
        if (!future && list->names[i].rank == RANK_FUTURE) {
            future = list->names[i].text;
        }
    }
    return future;
}

void cprof_name_list_reset(struct cprof_name_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->names[i].text);
    }
    free(list->names);
    *list = (struct cprof_name_list){0};
}
