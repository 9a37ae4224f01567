/* requests.h - the requests that a slot's stacks are marked with.
 *
 * Callers   the gateway's thread.
 * Trust     none: each entry is copied out first, and used if it was not written meanwhile and its
 *           numbers are sound. Texts are cleaned.
 * Memory    the list is the caller's, and large: not for the stack.
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
    struct cprof_request requests[CPROF_REQUESTS_MAX];
    size_t count;
};

/* Copies what the slot says; entries that make no sense are left out. */
void cprof_requests_read(struct cprof_request_list *list, const struct cprof_segment *segment,
                         uint32_t slot_index);

/* NULL: there is none with this mark. */
const struct cprof_request *cprof_requests_find(const struct cprof_request_list *list,
                                                uint32_t mark);

#endif
