/* requests.c - see requests.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "requests.h"

#include <stdbool.h>
#include <stdlib.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"

/* A writer takes a microsecond; one that was killed in the middle takes for ever. It has left one
 * entry so, and whoever leaves many of them must not hold the gateway up. */
#define TRIES_MAX      100u
#define SLOT_TRIES_MAX 1000u

/* Entries that are copied at once, where nobody writes to them: those of a page. */
#define ENTRIES_AT_ONCE 16u

_Static_assert(CPROF_REQUESTS_MIN % ENTRIES_AT_ONCE == 0, "no part is left over");

/* The sequence in calls of its own, before and behind. Takes its tries off what the slot has. */
static bool copy_entry(struct cprof_request_entry *copy, const struct cprof_segment *segment,
                       const struct cprof_request_entry *entry, unsigned *slot_tries)
{
    for (unsigned i = 0; i<TRIES_MAX && * slot_tries> 0; i++, --*slot_tries) {
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

/* Copies of entries that follow each other, from before, meanwhile and after. */
struct copies {
    struct cprof_request_entry before[ENTRIES_AT_ONCE], entries[ENTRIES_AT_ONCE],
        after[ENTRIES_AT_ONCE];
};

static bool copy_entries(struct copies *copies, const struct cprof_segment *segment,
                         const struct cprof_request_entry *first, size_t count)
{
    size_t bytes = count * sizeof(*first);

    return cprof_segment_read(segment, first, copies->before, bytes) &&
           cprof_segment_read(segment, first, copies->entries, bytes) &&
           cprof_segment_read(segment, first, copies->after, bytes);
}

static bool was_written_meanwhile(const struct copies *copies, size_t index)
{
    return (copies->before[index].sequence & 1u) ||
           copies->before[index].sequence != copies->after[index].sequence;
}

static bool was_never_written(const struct cprof_request_entry *entry)
{
    return entry->sequence == 0 && entry->mark == 0 && entry->start_us == 0;
}

static bool is_sound(const struct cprof_request_entry *entry)
{
    return entry->mark != 0 && entry->start_us != 0 &&
           entry->start_us <= cprof_now_unix_ns() / NS_PER_US &&
           (entry->end_us == 0 || entry->end_us >= entry->start_us) && entry->method_bytes > 0 &&
           entry->method_bytes <= CPROF_METHOD_BYTES_MAX && entry->uri_bytes > 0 &&
           entry->uri_bytes <= CPROF_URI_BYTES_MAX;
}

static struct cprof_request *append(struct cprof_request_list *list)
{
    size_t wanted = list->capacity ? 2 * list->capacity : ENTRIES_AT_ONCE;
    struct cprof_request *larger;

    if (list->count == list->capacity) {
        larger = realloc(list->requests, wanted * sizeof(*larger));
        if (!larger) {
            return NULL;
        }
        list->requests = larger;
        list->capacity = wanted;
    }
    return &list->requests[list->count++];
}

static void add_entry(struct cprof_request_list *list, const struct cprof_request_entry *entry)
{
    struct cprof_request *request = is_sound(entry) ? append(list) : NULL;

    if (request) {
        request->mark = entry->mark;
        request->incarnation = entry->incarnation;
        request->start_us = entry->start_us;
        request->end_us = entry->end_us;
        request->is_excepted = entry->flags & (uint32_t)CPROF_REQUEST_EXCEPTED;
        (void)cprof_clean_text(request->method, sizeof(request->method), entry->method,
                               entry->method_bytes);
        (void)cprof_clean_text(request->uri, sizeof(request->uri), entry->uri, entry->uri_bytes);
    }
}

/* Returns whether entries that were written may follow. */
static bool add_entries(struct cprof_request_list *list, const struct cprof_segment *segment,
                        const struct cprof_request_entry *first, size_t count, unsigned *slot_tries)
{
    struct copies copies;

    if (!copy_entries(&copies, segment, first, count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (was_never_written(&copies.entries[i]) && was_never_written(&copies.after[i])) {
            return false;
        }
        if (!was_written_meanwhile(&copies, i) ||
            copy_entry(&copies.entries[i], segment, &first[i], slot_tries)) {
            add_entry(list, &copies.entries[i]);
        }
    }
    return true;
}

static int compare_marks(const void *left, const void *right)
{
    const struct cprof_request *a = left, *b = right;

    return a->mark == b->mark ? 0 : a->mark < b->mark ? -1 : 1;
}

void cprof_requests_read(struct cprof_request_list *list, const struct cprof_segment *segment,
                         uint32_t slot_index)
{
    const struct cprof_request_entry *entries = cprof_segment_requests(segment, slot_index);
    uint32_t read = 0;
    unsigned slot_tries = SLOT_TRIES_MAX;

    list->count = 0;
    while (read < segment->request_count &&
           add_entries(list, segment, &entries[read], ENTRIES_AT_ONCE, &slot_tries)) {
        read += ENTRIES_AT_ONCE;
    }
    if (list->count > 0) {
        qsort(list->requests, list->count, sizeof(*list->requests), compare_marks);
    }
}

void cprof_requests_reset(struct cprof_request_list *list)
{
    free(list->requests);
    *list = (struct cprof_request_list){0};
}

const struct cprof_request *cprof_requests_find(const struct cprof_request_list *list,
                                                uint32_t mark)
{
    const struct cprof_request wanted = {.mark = mark}, *found, *end = list->requests + list->count;

    if (mark == 0 || list->count == 0) {
        return NULL;
    }
    found = bsearch(&wanted, list->requests, list->count, sizeof(wanted), compare_marks);
    if (!found || (found > list->requests && found[-1].mark == mark) ||
        (found + 1 < end && found[1].mark == mark)) {
        return NULL;
    }
    return found;
}
