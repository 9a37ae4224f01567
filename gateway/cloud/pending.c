/* pending.c - see pending.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pending.h"

#include <stdlib.h>
#include <string.h>

static bool has_room(const struct cprof_pending_list *list, const struct cprof_pending *item)
{
    return list->count == 0 ||
           (list->count < CPROF_PENDING_MAX && list->byte_count <= CPROF_PENDING_BYTES_MAX &&
            item->byte_count <= CPROF_PENDING_BYTES_MAX - list->byte_count);
}

bool cprof_pending_add(struct cprof_pending_list *list, const struct cprof_pending *item,
                       size_t ticket_bytes)
{
    bool fits = has_room(list, item);
    char *ticket = fits ? strndup(item->ticket, ticket_bytes) : NULL;
    uint8_t *bytes = fits ? malloc(item->byte_count) : NULL;

    if (!ticket || !bytes) {
        free(ticket);
        free(bytes);
        return false;
    }
    memcpy(bytes, item->bytes, item->byte_count);
    list->items[list->count] = *item;
    list->items[list->count].bytes = bytes;
    list->items[list->count++].ticket = ticket;
    list->byte_count += item->byte_count;
    return true;
}

void cprof_pending_remove_first(struct cprof_pending_list *list)
{
    list->byte_count -= list->items[0].byte_count;
    free(list->items[0].ticket);
    free(list->items[0].bytes);
    list->count--;
    memmove(&list->items[0], &list->items[1], list->count * sizeof(list->items[0]));
}

void cprof_pending_reset(struct cprof_pending_list *list)
{
    while (list->count > 0) {
        cprof_pending_remove_first(list);
    }
}
