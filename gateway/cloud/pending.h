/* pending.h - finished profiles that wait to be sent, oldest first.
 *
 * Callers   the gateway's thread. Pure.
 * Bounds    CPROF_PENDING_MAX of them, one of this gateway, the others of gateways before it; of
 *           CPROF_PENDING_BYTES_MAX together, but one alone may be of any size.
 * Memory    what is added is copied.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CLOUD_PENDING_H
#define CPROF_CLOUD_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "api.h"

#define CPROF_PENDING_MAX       8u
#define CPROF_PENDING_BYTES_MAX (UINT32_C(6) << 20)

struct cprof_pending {
    int handle;   /* of its window; -1: the window is given back */
    bool adopted; /* of a gateway before this one, which may have sent it */
    char *ticket; /* the session's JSON, ends with NUL */
    uint8_t *bytes;
    size_t byte_count;
    uint64_t give_up_ns; /* its name is not believed to be good any more then */
    unsigned failures;
};

struct cprof_pending_list {
    struct cprof_pending items[CPROF_PENDING_MAX];
    unsigned count;
    size_t byte_count; /* of all */
};

/* Copies ticket and bytes. False: no room or no memory. */
bool cprof_pending_add(struct cprof_pending_list *list, const struct cprof_pending *item,
                       size_t ticket_bytes) CPROF_MUST_USE;

/* Removes the oldest; there must be one. */
void cprof_pending_remove_first(struct cprof_pending_list *list);

/* Removes all. */
void cprof_pending_reset(struct cprof_pending_list *list);

#endif
