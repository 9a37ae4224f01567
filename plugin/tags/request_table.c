/* request_table.c - see request_table.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "request_table.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/pages.h"
#include "../../shared/segment/window.h"
#include "tags.h"

#define NO_ENTRY UINT32_MAX

/* What is known of an entry. */
struct note {
    uint64_t stamp; /* of its request */
    uint32_t core;
    uint32_t next; /* the one whose request ended next, NO_ENTRY: none has yet */
};

static struct {
    struct cprof_request_table_setup setup;
    struct cprof_request_view view;
    uint32_t used;           /* entries below this have been written */
    uint32_t oldest, newest; /* of those whose requests are over, by their ends */
    uint32_t running_count;
    uint32_t *running;   /* entries whose requests run, in any order */
    struct note *notes;  /* by entry */
    bool *is_known_core; /* whether its present request has an entry */
} table;

static void *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

bool cprof_request_table_setup(const struct cprof_request_table_setup *setup,
                               const struct cprof_request_view *view)
{
    table.setup = *setup;
    table.view = *view;
    table.used = 0;
    table.running_count = 0;
    table.oldest = table.newest = NO_ENTRY;
    if (!view->is_running || !view->stamp || !view->start_us || !view->text || !view->uri ||
        setup->core_count == 0) {
        table.setup.core_count = 0;
        return true;
    }
    table.running = map(setup->entry_count * sizeof(*table.running));
    table.notes = map(setup->entry_count * sizeof(*table.notes));
    table.is_known_core = map(setup->core_count * sizeof(*table.is_known_core));
    if (!table.running || !table.notes || !table.is_known_core) {
        table.setup.core_count = 0;
    }
    return table.setup.core_count > 0;
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

static void append_to_ended(uint32_t index)
{
    table.notes[index].next = NO_ENTRY;
    if (table.oldest == NO_ENTRY) {
        table.oldest = index;
    } else {
        table.notes[table.newest].next = index;
    }
    table.newest = index;
}

static uint32_t take_oldest_ended(void)
{
    uint32_t index = table.oldest;

    table.oldest = table.notes[index].next;
    return index;
}

/* Short requests are named, too, when the window in which they were seen is over: some entries are
 * there for those that are over. Beyond these an entry is used again if there is any. */
static uint32_t take_entry(void)
{
    bool may_spread = table.used < CPROF_REQUESTS_MIN || table.oldest == NO_ENTRY;

    if (may_spread && table.used < table.setup.entry_count) {
        struct cprof_request_entry *entry = &table.setup.entries[table.used];

        /* Without memory its stacks have a mark that stands for nothing. */
        return cprof_pages_take(entry, sizeof(*entry)) ? table.used++ : NO_ENTRY;
    }
    return table.oldest != NO_ENTRY ? take_oldest_ended() : NO_ENTRY;
}

static void note_end(uint32_t index)
{
    struct cprof_request_entry *entry = &table.setup.entries[index];

    begin_writing(entry);
    entry->end_us = cprof_now_unix_ns() / NS_PER_US;
    end_writing(entry);
    table.is_known_core[table.notes[index].core] = false;
    append_to_ended(index);
}

static void note_ends(void)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < table.running_count; i++) {
        uint32_t index = table.running[i];

        if (table.view.stamp((int)table.notes[index].core) == table.notes[index].stamp) {
            table.running[left++] = index;
        } else {
            note_end(index);
        }
    }
    table.running_count = left;
}

/* Another thread serves the request: what is read of it counts if it is the same one afterwards,
 * and if its texts are there already. */
static void note_begin(uint32_t core, uint64_t stamp, uint64_t start_us)
{
    struct cprof_request_entry *entry;
    char method[CPROF_METHOD_BYTES_MAX], uri[CPROF_URI_BYTES_MAX];
    uint32_t method_bytes =
        table.view.text((int)core, CPROF_TAG_METHOD, method, CPROF_METHOD_BYTES_MAX);
    uint32_t uri_bytes = table.view.uri((int)core, uri, CPROF_URI_BYTES_MAX), index;
    bool is_excepted = table.view.is_excepted && table.view.is_excepted((int)core);

    if (method_bytes == 0 || uri_bytes == 0 || table.view.stamp((int)core) != stamp) {
        return;
    }
    index = take_entry();
    if (index == NO_ENTRY) {
        return;
    }
    entry = &table.setup.entries[index];
    begin_writing(entry);
    entry->mark = cprof_tags_mark(stamp, start_us);
    entry->start_us = start_us;
    entry->end_us = 0;
    entry->incarnation = table.setup.incarnation;
    entry->method_bytes = (uint16_t)method_bytes;
    entry->uri_bytes = (uint16_t)uri_bytes;
    entry->flags = is_excepted ? CPROF_REQUEST_EXCEPTED : 0;
    memcpy(entry->method, method, method_bytes);
    memcpy(entry->uri, uri, uri_bytes);
    end_writing(entry);
    table.notes[index] = (struct note){.stamp = stamp, .core = core, .next = NO_ENTRY};
    table.running[table.running_count++] = index;
    table.is_known_core[core] = true;
}

/* Returns whether it serves a request. */
static bool look_at_core(uint32_t core, uint64_t before_us)
{
    uint64_t stamp, start_us;

    if (!table.view.is_running((int)core)) {
        return false;
    }
    if (!table.is_known_core[core]) {
        stamp = table.view.stamp((int)core);
        start_us = table.view.start_us((int)core);
        if (stamp && start_us && start_us < before_us) {
            note_begin(core, stamp, start_us);
        }
    }
    return true;
}

/* From the core that is handed out first on, until all that serve were seen. */
static void note_begins(uint64_t before_us)
{
    uint32_t cores = table.setup.core_count;
    uint32_t serving = table.view.serving_max ? table.view.serving_max() : cores;

    if (serving <= table.running_count) {
        return; /* all of them have an entry */
    }
    for (uint32_t core = cores; core > 0 && serving > 0; core--) {
        serving -= look_at_core(core - 1, before_us);
    }
}

void cprof_request_table_update(uint64_t before_unix_ns)
{
    note_ends();
    if (table.setup.core_count > 0) {
        note_begins(before_unix_ns / NS_PER_US);
    }
}
