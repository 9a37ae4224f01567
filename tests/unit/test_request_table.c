/* test_request_table.c - see plugin/tags/request_table.h. The host's knowledge of requests is
 * this file's own.
 *
 * sources: plugin/tags/request_table.c plugin/tags/tags.c plugin/tags/tag_sets.c
 * sources: plugin/tags/tag_values.c plugin/python/peek.c tests/unit/short_memory.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/tags/request_table.h"

#include <stdio.h>
#include <string.h>

#include "../../plugin/tags/tags.h"
#include "expect.h"
#include "short_memory.h"

#define CORES       2u
#define MANY_CORES  10000u
#define INCARNATION 3u
#define START_US    1000u
#define START_NS    (START_US * 1000u)

#define ENTRIES (2 * CPROF_REQUESTS_MIN)

static struct cprof_request_entry entries[ENTRIES];

/* What the host says of its cores; a stamp of 0: no request. */
static uint64_t stamps[MANY_CORES];
static unsigned looks; /* at a core */
static uint64_t start_us;

static uint64_t stamp_of(int core)
{
    return stamps[core];
}

static bool is_running(int core)
{
    looks++;
    return stamps[core] != 0;
}

static uint32_t serving_max(void)
{
    uint32_t count = 0;

    for (unsigned core = 0; core < MANY_CORES; core++) {
        count += stamps[core] != 0;
    }
    return count;
}

static uint64_t start_of(int core)
{
    return stamps[core] ? start_us : 0;
}

static uint32_t method_of(int core, enum cprof_tag_bit part, char *to, uint32_t to_bytes)
{
    EXPECT(part == CPROF_TAG_METHOD && stamps[core] && to_bytes >= 3);
    memcpy(to, "GET", 3);
    return 3;
}

static uint32_t uri_of(int core, char *to, uint32_t to_bytes)
{
    return (uint32_t)snprintf(to, to_bytes, "/%d/%d", core, (int)stamps[core]);
}

static bool is_excepted(int core)
{
    return stamps[core] == 20;
}

static const struct cprof_request_view view = {
    .is_running = is_running,
    .is_excepted = is_excepted,
    .stamp = stamp_of,
    .text = method_of,
    .start_us = start_of,
    .uri = uri_of,
    .serving_max = serving_max,
};

static void begin_in(struct cprof_request_entry *in, uint32_t core_count)
{
    const struct cprof_request_table_setup setup = {.entries = in,
                                                    .entry_count = ENTRIES,
                                                    .core_count = core_count,
                                                    .incarnation = INCARNATION};

    memset(entries, 0, sizeof(entries));
    memset(stamps, 0, sizeof(stamps));
    start_us = START_US;
    EXPECT(cprof_request_table_setup(&setup, &view));
}

static void begin(uint32_t core_count)
{
    begin_in(entries, core_count);
}

static const struct cprof_request_entry *find(uint64_t stamp)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        if (entries[i].mark == cprof_tags_mark(stamp, START_US)) {
            return &entries[i];
        }
    }
    return NULL;
}

/* Entries that were ever written; they are the first ones. */
static unsigned used(void)
{
    unsigned count = 0;

    while (count < ENTRIES && entries[count].mark) {
        count++;
    }
    return count;
}

static bool has(uint64_t stamp, const char *uri)
{
    const struct cprof_request_entry *entry = find(stamp);

    return entry && entry->sequence % 2 == 0 && entry->start_us == START_US &&
           entry->incarnation == INCARNATION && entry->method_bytes == 3 &&
           entry->uri_bytes == strlen(uri) && memcmp(entry->uri, uri, entry->uri_bytes) == 0;
}

static void serve(uint32_t core, uint64_t stamp)
{
    stamps[core] = stamp;
    cprof_request_table_update(START_NS + 1000);
}

static void a_request_has_a_name_and_then_an_end(void)
{
    begin(CORES);
    serve(1, 10);
    EXPECT(has(10, "/1/10") && find(10)->end_us == 0);
    serve(1, 0);
    EXPECT(has(10, "/1/10") && find(10)->end_us > START_US);
}

static void one_that_is_slow_by_nature_is_marked(void)
{
    begin(CORES);
    serve(1, 20);
    serve(0, 10);
    EXPECT(find(20)->flags == CPROF_REQUEST_EXCEPTED && find(10)->flags == 0);
    serve(1, 11);
    EXPECT(find(11)->flags == 0);
}

static void requests_that_are_over_keep_their_names_for_a_while(void)
{
    char uri[16];

    begin(CORES);
    serve(1, 1000);
    for (uint64_t stamp = 1; stamp < CPROF_REQUESTS_MIN; stamp++) {
        serve(0, stamp);
    }
    EXPECT(has(1000, "/1/1000") && used() == CPROF_REQUESTS_MIN);
    for (unsigned stamp = 1; stamp < CPROF_REQUESTS_MIN; stamp++) {
        (void)snprintf(uri, sizeof(uri), "/0/%u", stamp);
        EXPECT(has(stamp, uri));
    }
    serve(0, 2000);
    EXPECT(has(2000, "/0/2000") && !find(1) && find(2) && find(1000));
    serve(0, 2001);
    EXPECT(!find(2) && find(3) && find(1000) && used() == CPROF_REQUESTS_MIN);
}

static void any_core_has_an_entry_while_its_request_runs(void)
{
    begin(MANY_CORES);
    for (unsigned i = 0; i < 50; i++) {
        serve(MANY_CORES - 1 - i * i, i + 1);
    }
    EXPECT(used() == 50 && has(1, "/9999/1") && has(50, "/7598/50"));
    serve(0, 3000);
    EXPECT(has(3000, "/0/3000") && used() == 51);
    serve(0, 0);
    serve(5, 3001);
    EXPECT(has(3001, "/5/3001") && find(3000)->end_us && !find(3001)->end_us);
}

static void more_entries_than_there_are_at_least_are_used_for_those_that_run_at_once(void)
{
    begin(MANY_CORES);
    for (unsigned i = 0; i < ENTRIES; i++) {
        serve(i, i + 1);
    }
    EXPECT(used() == ENTRIES && has(1, "/0/1") && has(ENTRIES, "/511/512"));
    serve(ENTRIES, 5000);
    EXPECT(!find(5000));
    serve(7, 0);
    EXPECT(has(5000, "/512/5000") && !find(8));
}

static void an_idle_worker_looks_at_no_core_and_a_busy_one_at_those_that_serve(void)
{
    begin(MANY_CORES);
    looks = 0;
    cprof_request_table_update(START_NS + 1000);
    EXPECT(looks == 0);
    for (unsigned i = 0; i < 20; i++) {
        stamps[MANY_CORES - 1 - i] = i + 1;
    }
    cprof_request_table_update(START_NS + 1000);
    EXPECT(used() == 20 && looks == 20);
    cprof_request_table_update(START_NS + 1000);
    EXPECT(looks == 20);
}

static void only_requests_that_are_asked_for_have_one(void)
{
    begin(CORES);
    stamps[0] = 10;
    cprof_request_table_update(START_NS);
    EXPECT(!find(10));
    cprof_request_table_update(START_NS + 1000);
    EXPECT(has(10, "/0/10"));
}

static void a_request_without_memory_has_an_entry_when_there_is_some(void)
{
    struct short_memory memory;

    short_memory_open(&memory, sizeof(entries));
    begin_in(memory.start, CORES);
    serve(0, 10);
    serve(0, 11);
    short_memory_allow(&memory, sizeof(entries));
    serve(0, 11);
    memcpy(entries, memory.start, sizeof(entries));
    EXPECT(has(11, "/0/11") && !find(10));
    short_memory_close(&memory);
}

int main(void)
{
    RUN(a_request_has_a_name_and_then_an_end);
    RUN(one_that_is_slow_by_nature_is_marked);
    RUN(requests_that_are_over_keep_their_names_for_a_while);
    RUN(any_core_has_an_entry_while_its_request_runs);
    RUN(more_entries_than_there_are_at_least_are_used_for_those_that_run_at_once);
    RUN(an_idle_worker_looks_at_no_core_and_a_busy_one_at_those_that_serve);
    RUN(only_requests_that_are_asked_for_have_one);
    RUN(a_request_without_memory_has_an_entry_when_there_is_some);
    return 0;
}
