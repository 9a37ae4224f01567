/* test_tag_sets.c - see plugin/tags/tag_sets.h.
 *
 * sources: plugin/tags/tag_sets.c plugin/tags/tag_values.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../../plugin/tags/tag_sets.h"
#include "expect.h"

#define CORES   3u
#define CONTEXT ((uintptr_t)0x7f0000001000)

static uint32_t tag_of(const char *key, const char *value)
{
    return cprof_tag_intern(cprof_tag_key(key, strlen(key)), value, strlen(value));
}

static uint32_t numbered(const char *key, uint32_t number)
{
    char value[16];

    (void)snprintf(value, sizeof(value), "%u", number);
    return tag_of(key, value);
}

static void set_up(void)
{
    EXPECT(cprof_tag_values_create() && cprof_tag_sets_create(CORES));
}

/* Whether the list is these tags, in this order. */
static bool is_list(const struct cprof_tag_list *list, uint32_t count, const uint32_t *tags)
{
    return list->count == count && memcmp(list->ids, tags, count * sizeof(*tags)) == 0;
}

static void nothing_is_set_before_there_is_memory(void)
{
    struct cprof_tag_list list = {0};
    struct cprof_tag_scope scope = {.core = 1};

    EXPECT(!cprof_tag_set_for_request(0, 1, 1025));
    cprof_tags_of_request(0, 1, &list);
    cprof_tags_of_chain(1, &list);
    EXPECT(list.count == 0 && cprof_tag_chain_with(0, 1025) == CPROF_TAG_NO_CHAIN);
    EXPECT(cprof_tag_scope_put(CONTEXT, &scope) == CPROF_TAG_SCOPE_FULL);
    EXPECT(!cprof_tag_scope_find(CONTEXT, &scope));
    EXPECT(scope.core == -1 && scope.chain == CPROF_TAG_NO_CHAIN);
}

static void a_list_keeps_each_key_once(void)
{
    struct cprof_tag_list list = {0};

    set_up();
    cprof_tag_list_set(&list, tag_of("a", "1"));
    cprof_tag_list_set(&list, tag_of("b", "2"));
    cprof_tag_list_set(&list, UINT32_MAX);
    cprof_tag_list_set(&list, tag_of("a", "3"));
    EXPECT(is_list(&list, 2, (uint32_t[]){tag_of("a", "3"), tag_of("b", "2")}));
}

static void tags_of_a_request_end_with_it(void)
{
    struct cprof_tag_list list = {0};

    EXPECT(cprof_tag_set_for_request(1, 7, tag_of("a", "1")));
    EXPECT(cprof_tag_set_for_request(1, 7, tag_of("b", "1")));
    EXPECT(cprof_tag_set_for_request(1, 7, tag_of("a", "2")));
    cprof_tags_of_request(1, 7, &list);
    EXPECT(is_list(&list, 2, (uint32_t[]){tag_of("a", "2"), tag_of("b", "1")}));

    list = (struct cprof_tag_list){0};
    cprof_tags_of_request(1, 8, &list);
    cprof_tags_of_request(2, 7, &list);
    EXPECT(list.count == 0);

    EXPECT(cprof_tag_set_for_request(1, 8, tag_of("b", "3")));
    cprof_tags_of_request(1, 7, &list);
    EXPECT(list.count == 0);
    cprof_tags_of_request(1, 8, &list);
    EXPECT(is_list(&list, 1, (uint32_t[]){tag_of("b", "3")}));
}

static void what_is_no_request_takes_no_tag(void)
{
    struct cprof_tag_list list = {0};

    EXPECT(!cprof_tag_set_for_request(-1, 7, tag_of("a", "1")));
    EXPECT(!cprof_tag_set_for_request(CORES, 7, tag_of("a", "1")));
    EXPECT(!cprof_tag_set_for_request(0, 0, tag_of("a", "1")));
    EXPECT(!cprof_tag_set_for_request(0, 7, UINT32_MAX));
    cprof_tags_of_request(-1, 7, &list);
    cprof_tags_of_request(CORES, 7, &list);
    cprof_tags_of_request(0, 0, &list);
    EXPECT(list.count == 0);
}

static void equal_chains_are_one_and_the_inner_value_counts(void)
{
    uint32_t a = cprof_tag_chain_with(CPROF_TAG_NO_CHAIN, tag_of("a", "1"));
    uint32_t ab = cprof_tag_chain_with(a, tag_of("b", "1"));
    uint32_t replaced = cprof_tag_chain_with(ab, tag_of("a", "2"));
    struct cprof_tag_list list = {0};

    EXPECT(a && ab && replaced && a != ab && ab != replaced);
    EXPECT(cprof_tag_chain_with(a, tag_of("b", "1")) == ab);
    EXPECT(cprof_tag_chain_with(ab, tag_of("a", "1")) == ab);
    EXPECT(cprof_tag_chain_with(ab, UINT32_MAX) == ab);
    cprof_tags_of_chain(ab, &list);
    EXPECT(is_list(&list, 2, (uint32_t[]){tag_of("a", "1"), tag_of("b", "1")}));
    list = (struct cprof_tag_list){0};
    cprof_tags_of_chain(replaced, &list);
    EXPECT(is_list(&list, 2, (uint32_t[]){tag_of("a", "2"), tag_of("b", "1")}));
    list = (struct cprof_tag_list){0};
    cprof_tags_of_chain(UINT32_MAX, &list);
    EXPECT(list.count == 0);
}

static void chains_beyond_the_bound_are_other_or_stay_as_they_are(void)
{
    uint32_t others = 0, unchanged = 0;
    struct cprof_tag_list list;

    for (uint32_t i = 0; i < 80; i++) {
        uint32_t outer = cprof_tag_chain_with(CPROF_TAG_NO_CHAIN, numbered("outer", i));

        for (uint32_t j = 0; j < 1000; j++) {
            uint32_t inner = cprof_tag_chain_with(outer, numbered("inner", j));

            list = (struct cprof_tag_list){0};
            cprof_tags_of_chain(inner, &list);
            unchanged += inner == (outer | CPROF_TAG_CHAIN_LACKS_ONE);
            others += list.count == 2 && cprof_tag_is_other(list.ids[1]);
            EXPECT(list.lacks_one ? inner == (outer | CPROF_TAG_CHAIN_LACKS_ONE) : list.count == 2);
        }
    }
    EXPECT(others + unchanged > 80 * 1000 - CPROF_TAG_LINKS_MAX);
    EXPECT(others + unchanged < 80 * 1000 - CPROF_TAG_LINKS_MAX * 9 / 10);
}

/* Behind the test that fills the table. */
static void without_room_a_value_is_not_shown_in_the_place_of_another(void)
{
    uint32_t outer = cprof_tag_chain_with(CPROF_TAG_NO_CHAIN, numbered("outer", 0));
    uint32_t inner = cprof_tag_chain_with(outer, numbered("inner", 0));
    uint32_t replaced = cprof_tag_chain_with(inner, numbered("outer", 900));
    struct cprof_tag_list list = {0};

    EXPECT(inner != outer);
    EXPECT(cprof_tag_chain_with(replaced, numbered("outer", 0)) & CPROF_TAG_CHAIN_LACKS_ONE);
    cprof_tags_of_chain(replaced, &list);
    EXPECT(list.lacks_one);
    for (uint32_t i = 0; i < list.count; i++) {
        EXPECT(list.ids[i] != numbered("outer", 0));
    }
}

static void a_context_is_known_as_long_as_its_entry_is_needed(void)
{
    struct cprof_tag_scope scope = {.chain = 5, .core = -1}, found;

    EXPECT(cprof_tag_scope_put(CONTEXT, &scope) == CPROF_TAG_SCOPE_ADDED);
    EXPECT(cprof_tag_scope_find(CONTEXT, &found) && found.chain == 5 && found.core == -1);
    EXPECT(!cprof_tag_scope_find(CONTEXT + 16, &found));

    scope = (struct cprof_tag_scope){.chain = 6, .core = 2, .stamp = 9};
    EXPECT(cprof_tag_scope_put(CONTEXT, &scope) == CPROF_TAG_SCOPE_KEPT);
    EXPECT(cprof_tag_scope_find(CONTEXT, &found));
    EXPECT(found.chain == 6 && found.core == 2 && found.stamp == 9);

    scope = (struct cprof_tag_scope){.core = 2, .stamp = 9};
    EXPECT(cprof_tag_scope_put(CONTEXT, &scope) == CPROF_TAG_SCOPE_KEPT);
    scope = (struct cprof_tag_scope){.core = -1};
    EXPECT(cprof_tag_scope_put(CONTEXT, &scope) == CPROF_TAG_SCOPE_REMOVED);
    EXPECT(cprof_tag_scope_put(CONTEXT, &scope) == CPROF_TAG_SCOPE_KEPT);
    EXPECT(!cprof_tag_scope_find(CONTEXT, &found));
    EXPECT(cprof_tag_scope_put(0, &scope) == CPROF_TAG_SCOPE_FULL);
}

static void contexts_beyond_the_bound_are_refused_and_others_stay_known(void)
{
    struct cprof_tag_scope scope = {.chain = 1, .core = -1}, found;
    uint32_t added = 0;

    for (uint32_t i = 0; i < CPROF_TAG_SCOPES_MAX + 100; i++) {
        scope.chain = i + 1;
        added += cprof_tag_scope_put(CONTEXT + i * 80ul, &scope) == CPROF_TAG_SCOPE_ADDED;
    }
    EXPECT(added == CPROF_TAG_SCOPES_MAX && cprof_tag_scopes_left_out() == 100);
    for (uint32_t i = 0; i < CPROF_TAG_SCOPES_MAX; i++) {
        EXPECT(cprof_tag_scope_find(CONTEXT + i * 80ul, &found) && found.chain == i + 1);
        scope.chain = CPROF_TAG_NO_CHAIN;
        EXPECT(cprof_tag_scope_put(CONTEXT + i * 80ul, &scope) == CPROF_TAG_SCOPE_REMOVED);
    }
}

/* What is left of entries that are gone must not fill the table. */
static void entries_come_and_go_for_ever(void)
{
    struct cprof_tag_scope scope, found;

    for (uint32_t i = 0; i < 1000000; i++) {
        uintptr_t context = CONTEXT + i * 48ul;

        scope = (struct cprof_tag_scope){.chain = 3, .core = -1};
        EXPECT(cprof_tag_scope_put(context, &scope) == CPROF_TAG_SCOPE_ADDED);
        EXPECT(cprof_tag_scope_find(context, &found) && found.chain == 3);
        scope.chain = CPROF_TAG_NO_CHAIN;
        EXPECT(cprof_tag_scope_put(context, &scope) == CPROF_TAG_SCOPE_REMOVED);
    }
}

int main(void)
{
    RUN(nothing_is_set_before_there_is_memory);
    RUN(a_list_keeps_each_key_once);
    RUN(tags_of_a_request_end_with_it);
    RUN(what_is_no_request_takes_no_tag);
    RUN(equal_chains_are_one_and_the_inner_value_counts);
    RUN(chains_beyond_the_bound_are_other_or_stay_as_they_are);
    RUN(without_room_a_value_is_not_shown_in_the_place_of_another);
    RUN(a_context_is_known_as_long_as_its_entry_is_needed);
    RUN(contexts_beyond_the_bound_are_refused_and_others_stay_known);
    RUN(entries_come_and_go_for_ever);
    return 0;
}
