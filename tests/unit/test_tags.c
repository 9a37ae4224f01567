/* test_tags.c - see plugin/tags/tags.h. The host's knowledge of requests is this file's own.
 *
 * sources: plugin/tags/tags.c plugin/tags/tag_sets.c plugin/tags/tag_values.c
 * sources: plugin/python/peek.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../../plugin/tags/tags.h"
#include "expect.h"

#define CORES          2
#define CONTEXT_OFFSET 8

/* In a context made here: the word that points to the one it was entered in. */
#define PREVIOUS_WORD 2

/* What the host says of its cores; 0: no request. */
static uint64_t stamps[CORES];
static const char *path;

static uint64_t stamp_of(int core)
{
    return core >= 0 && core < CORES ? stamps[core] : 0;
}

static uint32_t text_of(int core, enum cprof_tag_bit part, char *to, uint32_t to_bytes)
{
    const char *text = part == CPROF_TAG_PATH ? path : "GET";
    uint32_t bytes = (uint32_t)strnlen(text, to_bytes);

    EXPECT(stamp_of(core) != 0 && (part == CPROF_TAG_PATH || part == CPROF_TAG_METHOD));
    memcpy(to, text, bytes);
    return bytes;
}

/* A thread state, which has a context in its second word. */
static uint64_t state[2], context[4], other_context[4];
static struct cprof_python python;

static void set_up(bool cores_share_thread)
{
    struct cprof_request_view view = {
        .stamp = stamp_of, .text = text_of, .cores_share_thread = cores_share_thread};

    python.layout.tstate_context = CONTEXT_OFFSET;
    python.layout.context_previous = PREVIOUS_WORD * sizeof(uint64_t);
    context[PREVIOUS_WORD] = 0;
    stamps[0] = 7;
    stamps[1] = 0;
    path = "/a";
    state[1] = (uint64_t)(uintptr_t)context;
    EXPECT(cprof_tags_reserve(CPROF_TAG_METHOD | CPROF_TAG_PATH) && cprof_tag_sets_create(CORES));
    cprof_tags_setup(&python, &view);
}

static uint32_t tag_of(const char *key, const char *value)
{
    return cprof_tag_intern(cprof_tag_key(key, strlen(key)), value, strlen(value));
}

static void put(const void *of, uint32_t chain, int core, uint64_t stamp)
{
    struct cprof_tag_scope scope = {.chain = chain, .core = core, .stamp = stamp};

    EXPECT(cprof_tag_scope_put((uintptr_t)of, &scope) != CPROF_TAG_SCOPE_FULL);
}

static bool sees(int core, uint32_t count, const uint32_t *tags)
{
    struct cprof_seen_tags seen;
    struct cprof_tag_list list;
    static struct cprof_interned_parts known; /* of the request before */

    cprof_tags_see(CPROF_PEEK_SYSTEM, core, (uintptr_t)state, &seen);
    cprof_tags_intern(&seen, &known, &list);
    return list.count == count &&
           (count == 0 || memcmp(list.ids, tags, count * sizeof(*tags)) == 0);
}

static void another_text_of_a_part_is_another_tag(void)
{
    set_up(false);
    EXPECT(sees(0, 2, (uint32_t[]){tag_of("method", "GET"), tag_of("path", "/a")}));
    path = "/b";
    EXPECT(sees(0, 2, (uint32_t[]){tag_of("method", "GET"), tag_of("path", "/b")}));
    path = "/b/c";
    EXPECT(sees(0, 2, (uint32_t[]){tag_of("method", "GET"), tag_of("path", "/b/c")}));
    path = "/b";
    EXPECT(sees(0, 2, (uint32_t[]){tag_of("method", "GET"), tag_of("path", "/b")}));
}

static void the_request_then_what_was_set_then_the_context(void)
{
    uint32_t chain;

    set_up(false);
    EXPECT(sees(0, 2, (uint32_t[]){tag_of("method", "GET"), tag_of("path", "/a")}));
    EXPECT(sees(1, 0, NULL) && sees(-1, 0, NULL));

    EXPECT(cprof_tag_set_for_request(0, 7, tag_of("route", "/outer")));
    chain = cprof_tag_chain_with(CPROF_TAG_NO_CHAIN, tag_of("user", "one"));
    put(context, cprof_tag_chain_with(chain, tag_of("route", "/inner")), -1, 0);
    EXPECT(sees(0, 4,
                (uint32_t[]){tag_of("method", "GET"), tag_of("path", "/a"),
                             tag_of("route", "/inner"), tag_of("user", "one")}));
    EXPECT(sees(-1, 2, (uint32_t[]){tag_of("user", "one"), tag_of("route", "/inner")}));
    put(context, CPROF_TAG_NO_CHAIN, -1, 0);
    EXPECT(sees(
        0, 3,
        (uint32_t[]){tag_of("method", "GET"), tag_of("path", "/a"), tag_of("route", "/outer")}));

    stamps[0] = 8;
    EXPECT(sees(0, 2, (uint32_t[]){tag_of("method", "GET"), tag_of("path", "/a")}));
}

static void what_lacks_a_tag_is_known(void)
{
    struct cprof_interned_parts known = {0};
    struct cprof_seen_tags seen;
    struct cprof_tag_list list;

    set_up(false);
    cprof_tags_see(CPROF_PEEK_SYSTEM, 0, (uintptr_t)state, &seen);
    cprof_tags_intern(&seen, &known, &list);
    EXPECT(!list.lacks_one);
    put(context, CPROF_TAG_NO_CHAIN | CPROF_TAG_CHAIN_LACKS_ONE, -1, 0);
    cprof_tags_see(CPROF_PEEK_SYSTEM, 0, (uintptr_t)state, &seen);
    cprof_tags_intern(&seen, &known, &list);
    EXPECT(list.lacks_one);
    put(context, CPROF_TAG_NO_CHAIN, -1, 0);
}

static void without_a_context_the_thread_state_stands_for_it(void)
{
    set_up(false);
    state[1] = 0;
    put(state, cprof_tag_chain_with(CPROF_TAG_NO_CHAIN, tag_of("user", "two")), -1, 0);
    EXPECT(sees(-1, 1, (uint32_t[]){tag_of("user", "two")}));
    EXPECT(cprof_tags_context(&python, CPROF_PEEK_SYSTEM, (uintptr_t)state) == (uintptr_t)state);
    EXPECT(cprof_tags_context(&python, CPROF_PEEK_SYSTEM, 0) == 0);
    put(state, CPROF_TAG_NO_CHAIN, -1, 0);
}

/* The thread's own core says nothing there: only the context tells whose request it is. */
static void where_cores_share_a_thread_the_context_tells_the_request(void)
{
    struct cprof_seen_tags seen;

    set_up(true);
    stamps[1] = 9;
    EXPECT(sees(0, 0, NULL));
    put(context, CPROF_TAG_NO_CHAIN, 1, 9);
    EXPECT(sees(0, 2, (uint32_t[]){tag_of("method", "GET"), tag_of("path", "/a")}));
    cprof_tags_see_context(CPROF_PEEK_SYSTEM, (uintptr_t)other_context, &seen);
    EXPECT(seen.part_bytes[0] == 0 && seen.set.count == 0);

    stamps[1] = 10; /* the core serves another request already */
    EXPECT(sees(0, 0, NULL));
    put(context, CPROF_TAG_NO_CHAIN, -1, 0);
}

/* As a task of asyncio runs inside of the context in which its loop was started. */
static void of_nested_contexts_the_inner_one_comes_last(void)
{
    uint32_t chain;

    set_up(false);
    context[PREVIOUS_WORD] = (uint64_t)(uintptr_t)other_context;
    chain = cprof_tag_chain_with(CPROF_TAG_NO_CHAIN, tag_of("user", "outer"));
    put(other_context, cprof_tag_chain_with(chain, tag_of("route", "/outer")), -1, 0);
    EXPECT(sees(-1, 2, (uint32_t[]){tag_of("user", "outer"), tag_of("route", "/outer")}));
    put(context, cprof_tag_chain_with(CPROF_TAG_NO_CHAIN, tag_of("route", "/inner")), -1, 0);
    EXPECT(sees(-1, 2, (uint32_t[]){tag_of("user", "outer"), tag_of("route", "/inner")}));

    context[PREVIOUS_WORD] = (uint64_t)(uintptr_t)context; /* none is, and it must end */
    EXPECT(sees(-1, 1, (uint32_t[]){tag_of("route", "/inner")}));
    context[PREVIOUS_WORD] = 0xdead0000;
    EXPECT(sees(-1, 1, (uint32_t[]){tag_of("route", "/inner")}));
    put(context, CPROF_TAG_NO_CHAIN, -1, 0);
    put(other_context, CPROF_TAG_NO_CHAIN, -1, 0);
}

static void where_cores_share_a_thread_the_outer_context_may_tell_the_request(void)
{
    set_up(true);
    context[PREVIOUS_WORD] = (uint64_t)(uintptr_t)other_context;
    stamps[0] = 17;
    put(other_context, CPROF_TAG_NO_CHAIN, 0, 17);
    EXPECT(sees(0, 2, (uint32_t[]){tag_of("method", "GET"), tag_of("path", "/a")}));
    put(other_context, CPROF_TAG_NO_CHAIN, -1, 0);
}

static void what_a_request_left_behind_is_forgotten_with_it(void)
{
    set_up(false);
    stamps[0] = 17;
    put(context, cprof_tag_chain_with(CPROF_TAG_NO_CHAIN, tag_of("user", "three")), 0, 17);
    EXPECT(
        sees(0, 3,
             (uint32_t[]){tag_of("method", "GET"), tag_of("path", "/a"), tag_of("user", "three")}));
    stamps[0] = 18;
    EXPECT(sees(0, 2, (uint32_t[]){tag_of("method", "GET"), tag_of("path", "/a")}));
    stamps[0] = 0;
    EXPECT(sees(0, 0, NULL));
    put(context, CPROF_TAG_NO_CHAIN, -1, 0);
}

int main(void)
{
    RUN(another_text_of_a_part_is_another_tag);
    RUN(the_request_then_what_was_set_then_the_context);
    RUN(what_lacks_a_tag_is_known);
    RUN(without_a_context_the_thread_state_stands_for_it);
    RUN(where_cores_share_a_thread_the_context_tells_the_request);
    RUN(of_nested_contexts_the_inner_one_comes_last);
    RUN(where_cores_share_a_thread_the_outer_context_may_tell_the_request);
    RUN(what_a_request_left_behind_is_forgotten_with_it);
    return 0;
}
