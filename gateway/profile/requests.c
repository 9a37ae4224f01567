/* requests.c - see requests.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "requests.h"

#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"

/* A writer takes a microsecond; one that was killed in the middle takes for ever. */
#define TRIES_MAX 100u

/* The sequence in calls of its own, before and behind. */
static bool copy_entry(struct cprof_request_entry *copy, const struct cprof_segment *segment,
                       const struct cprof_request_entry *entry)
{
    for (unsigned i = 0; i < TRIES_MAX; i++) {
        uint32_t before, after;

        if (!cprof_segment_read(segment, &entry->sequence, &before, sizeof(before)) ||
            !cprof_segment_read(segment, entry, copy, sizeof(*copy)) ||
            !cprof_segment_read(segment, &entry->sequence, &after, sizeof(after))) {
            return false;
        }
        if (!(before & 1u) && after == before) {
            return true;
        }
    }
    return false;
}

static bool is_sound(const struct cprof_request_entry *entry)
{
    return entry->mark != 0 && entry->start_us != 0 &&
           entry->start_us <= cprof_now_unix_ns() / NS_PER_US &&
           (entry->end_us == 0 || entry->end_us >= entry->start_us) && entry->method_bytes > 0 &&
           entry->method_bytes <= CPROF_METHOD_BYTES_MAX && entry->uri_bytes > 0 &&
           entry->uri_bytes <= CPROF_URI_BYTES_MAX;
}

void cprof_requests_read(struct cprof_request_list *list, const struct cprof_segment *segment,
                         uint32_t slot_index)
{
    const struct cprof_requests *requests = cprof_segment_requests(segment, slot_index);
    struct cprof_request_entry entry;

    list->count = 0;
    for (uint32_t i = 0; i < CPROF_REQUESTS_MAX; i++) {
        struct cprof_request *request = &list->requests[list->count];

        if (!copy_entry(&entry, segment, &requests->entries[i]) || !is_sound(&entry)) {
            continue;
        }
        request->mark = entry.mark;
        request->incarnation = entry.incarnation;
        request->start_us = entry.start_us;
        request->end_us = entry.end_us;
        request->is_excepted = entry.flags & (uint32_t)CPROF_REQUEST_EXCEPTED;
        (void)cprof_clean_text(request->method, sizeof(request->method), entry.method,
                               entry.method_bytes);
        (void)cprof_clean_text(request->uri, sizeof(request->uri), entry.uri, entry.uri_bytes);
        list->count++;
    }
}

const struct cprof_request *cprof_requests_find(const struct cprof_request_list *list,
                                                uint32_t mark)
{
    for (size_t i = 0; mark && i < list->count; i++) {
        if (list->requests[i].mark == mark) {
            return &list->requests[i];
        }
    }
    return NULL;
}
