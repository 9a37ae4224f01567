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
#define INCARNATION 3u
#define START_US    1000u
#define START_NS    (START_US * 1000u)

static struct cprof_requests requests;

/* What the host says of its cores; a stamp of 0: no request. */
static uint64_t stamps[CPROF_REQUESTS_MAX + 1];
static uint64_t start_us;

static uint64_t stamp_of(int core)
{
    return stamps[core];
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
    .is_excepted = is_excepted,
    .stamp = stamp_of,
    .text = method_of,
    .start_us = start_of,
    .uri = uri_of,
};

static void begin(uint32_t core_count)
{
    memset(&requests, 0, sizeof(requests));
    memset(stamps, 0, sizeof(stamps));
    start_us = START_US;
    cprof_request_table_setup(&requests, &view, core_count, INCARNATION);
}

static const struct cprof_request_entry *find(uint64_t stamp)
{
    for (unsigned i = 0; i < CPROF_REQUESTS_MAX; i++) {
        if (requests.entries[i].mark == cprof_tags_mark(stamp, START_US)) {
            return &requests.entries[i];
        }
    }
    return NULL;
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
    for (uint64_t stamp = 1; stamp <= CPROF_REQUESTS_MAX / CORES; stamp++) {
        serve(0, stamp);
    }
    serve(1, 1000);
    for (unsigned stamp = 1; stamp <= CPROF_REQUESTS_MAX / CORES; stamp++) {
        (void)snprintf(uri, sizeof(uri), "/0/%u", stamp);
        EXPECT(has(stamp, uri));
    }
    EXPECT(has(1000, "/1/1000"));
    serve(0, 2000);
    EXPECT(has(2000, "/0/2000") && !find(1) && find(2) && find(1000));
}

static void each_core_has_an_entry_of_its_own(void)
{
    begin(CPROF_REQUESTS_MAX + 1);
    for (unsigned core = 0; core <= CPROF_REQUESTS_MAX; core++) {
        serve(core, core + 1);
    }
    EXPECT(has(1, "/0/1") && has(CPROF_REQUESTS_MAX, "/239/240"));
    EXPECT(!find(CPROF_REQUESTS_MAX + 1));
    serve(5, 1000);
    EXPECT(has(1000, "/5/1000") && !find(6) && find(5) && find(7));
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

    begin(CORES);
    short_memory_open(&memory, sizeof(requests));
    cprof_request_table_setup(memory.start, &view, CORES, INCARNATION);
    serve(0, 10);
    serve(0, 11);
    short_memory_allow(&memory, sizeof(requests));
    serve(0, 11);
    memcpy(&requests, memory.start, sizeof(requests));
    EXPECT(has(11, "/0/11") && !find(10));
    short_memory_close(&memory);
}

int main(void)
{
    RUN(a_request_has_a_name_and_then_an_end);
    RUN(one_that_is_slow_by_nature_is_marked);
    RUN(requests_that_are_over_keep_their_names_for_a_while);
    RUN(each_core_has_an_entry_of_its_own);
    RUN(only_requests_that_are_asked_for_have_one);
    RUN(a_request_without_memory_has_an_entry_when_there_is_some);
    return 0;
}
