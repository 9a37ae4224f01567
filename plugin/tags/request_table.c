/* request_table.c - see request_table.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "request_table.h"

#include <stdatomic.h>
#include <string.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/pages.h"
#include "../../shared/segment/window.h"
#include "tags.h"

static struct {
    struct cprof_requests *requests;
    struct cprof_request_view view;
    uint32_t count;
    uint32_t incarnation;
    uint64_t stamps[CPROF_REQUESTS_MAX];  /* by core: whose entry runs, 0: nobody's */
    uint32_t entries[CPROF_REQUESTS_MAX]; /* by core: its newest entry */
} table;

void cprof_request_table_setup(struct cprof_requests *requests,
                               const struct cprof_request_view *view, uint32_t request_count,
                               uint32_t incarnation)
{
    bool is_known = view->stamp && view->start_us && view->text && view->uri;

    table.requests = requests;
    table.view = *view;
    table.incarnation = incarnation;
    table.count = request_count < CPROF_REQUESTS_MAX ? request_count : CPROF_REQUESTS_MAX;
    table.count = is_known ? table.count : 0;
    memset(table.stamps, 0, sizeof(table.stamps));
    for (uint32_t core = 0; core < table.count; core++) {
        table.entries[core] = core;
    }
}

/* A core's requests take turns in its entries, the oldest gives way: short ones are named too,
 * when the window in which they were seen is over. */
static struct cprof_request_entry *next_entry(uint32_t core)
{
    uint32_t next = table.entries[core] + table.count;

    table.entries[core] = next < CPROF_REQUESTS_MAX ? next : core;
    return &table.requests->entries[table.entries[core]];
}

/* The words behind the sequence change only between these two. */
static void begin_writing(struct cprof_request_entry *entry)
{
    atomic_store_explicit(&entry->sequence, atomic_load(&entry->sequence) | 1u,
                          memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

static void end_writing(struct cprof_request_entry *entry)
{
    atomic_store_explicit(&entry->sequence, (atomic_load(&entry->sequence) | 1u) + 1,
                          memory_order_release);
}

static void note_end(uint32_t core)
{
    struct cprof_request_entry *entry = &table.requests->entries[table.entries[core]];

    begin_writing(entry);
    entry->end_us = cprof_now_unix_ns() / NS_PER_US;
    end_writing(entry);
    table.stamps[core] = 0;
}

/* Another thread serves the request: what is read of it counts if it is the same one afterwards,
 * and if its texts are there already. */
static void note_begin(uint32_t core, uint64_t stamp, uint64_t start_us)
{
    struct cprof_request_entry *entry;
    char method[CPROF_METHOD_BYTES_MAX], uri[CPROF_URI_BYTES_MAX];
    uint32_t method_bytes =
        table.view.text((int)core, CPROF_TAG_METHOD, method, CPROF_METHOD_BYTES_MAX);
    uint32_t uri_bytes = table.view.uri((int)core, uri, CPROF_URI_BYTES_MAX);
    bool is_excepted = table.view.is_excepted && table.view.is_excepted((int)core);

    if (method_bytes == 0 || uri_bytes == 0 || table.view.stamp((int)core) != stamp) {
        return;
    }
    entry = next_entry(core);
    if (!cprof_pages_take(entry, sizeof(*entry))) {
        return; /* its stacks have a mark that stands for nothing */
    }
    begin_writing(entry);
    entry->mark = cprof_tags_mark(stamp, start_us);
    entry->start_us = start_us;
    entry->end_us = 0;
    entry->incarnation = table.incarnation;
    entry->method_bytes = (uint16_t)method_bytes;
    entry->uri_bytes = (uint16_t)uri_bytes;
    entry->flags = is_excepted ? CPROF_REQUEST_EXCEPTED : 0;
    memcpy(entry->method, method, method_bytes);
    memcpy(entry->uri, uri, uri_bytes);
    end_writing(entry);
    table.stamps[core] = stamp;
}

void cprof_request_table_update(uint64_t before_unix_ns)
{
    for (uint32_t core = 0; core < table.count; core++) {
        uint64_t stamp = table.view.stamp((int)core);
        uint64_t start_us = table.view.start_us((int)core);

        if (table.stamps[core] && table.stamps[core] != stamp) {
            note_end(core);
        }
        if (stamp && stamp != table.stamps[core] && start_us &&
            start_us < before_unix_ns / NS_PER_US) {
            note_begin(core, stamp, start_us);
        }
    }
}
