/* requests.h - the requests that a slot's stacks are marked with.
 *
 * Callers   the gateway's thread.
 * Trust     none: each entry is copied out first, and used if it was not written meanwhile and its
 *           numbers are sound. Texts are cleaned.
 * Memory    the list begins as zeros and keeps what it has needed until it is reset: half a
 *           kilobyte for each request of the slot that has most, of which there are no more than
 *           the slot has entries.
 * Names     a request that cannot be told from another by its mark has none.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_REQUESTS_H
#define CPROF_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/segment/layout.h"
#include "../../shared/segment/segment.h"
#include "clean_text.h"

struct cprof_request {
    uint32_t mark;
    uint32_t incarnation; /* of the slot, whose process served it */
    uint64_t start_us;    /* unix time, not in the future */
    uint64_t end_us;      /* 0: not seen to be over */
    bool is_excepted;     /* slow by nature: not to be followed as a slow one */
    char method[CPROF_CLEAN_TEXT_BYTES(CPROF_METHOD_BYTES_MAX)];
    char uri[CPROF_CLEAN_TEXT_BYTES(CPROF_URI_BYTES_MAX)];
};

struct cprof_request_list {
    struct cprof_request *requests; /* by mark */
    size_t count;
    size_t capacity;
};

/* Copies what the slot says; entries that make no sense, or for which there is no memory, are left
 * out. */
void cprof_requests_read(struct cprof_request_list *list, const struct cprof_segment *segment,
                         uint32_t slot_index);

void cprof_requests_reset(struct cprof_request_list *list);

/* NULL: there is none with this mark, or there are two. */
const struct cprof_request *cprof_requests_find(const struct cprof_request_list *list,
                                                uint32_t mark);

#endif
