/* test_tag_values.c - see plugin/tags/tag_values.h.
 *
 * sources: plugin/tags/tag_values.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../../plugin/tags/tag_values.h"
#include "expect.h"

static uint32_t key_of(const char *name)
{
    return cprof_tag_key(name, strlen(name));
}

static uint32_t tag_of(uint32_t key, const char *value)
{
    return cprof_tag_intern(key, value, strlen(value));
}

static bool reads(uint32_t tag, const char *key, const char *value)
{
    struct cprof_tag_text text;

    return cprof_tag_text(tag, &text) && text.key_bytes == strlen(key) &&
           memcmp(text.key, key, text.key_bytes) == 0 && text.value_bytes == strlen(value) &&
           memcmp(text.value, value, text.value_bytes) == 0;
}

static void nothing_is_accepted_before_there_is_memory(void)
{
    struct cprof_tag_text text;

    EXPECT(key_of("route") == CPROF_TAG_NO_KEY);
    EXPECT(tag_of(1, "/") == CPROF_TAG_NONE);
    EXPECT(!cprof_tag_text(1025, &text));
}

static void the_same_texts_have_the_same_id(void)
{
    uint32_t route, user, tag;

    EXPECT(cprof_tag_values_create());
    EXPECT(cprof_tag_values_create());
    route = key_of("route");
    user = key_of("user");
    EXPECT(route != CPROF_TAG_NO_KEY && user != CPROF_TAG_NO_KEY && route != user);
    EXPECT(key_of("route") == route);
    tag = tag_of(route, "/users/:id");
    EXPECT(tag != CPROF_TAG_NONE && tag_of(route, "/users/:id") == tag);
    EXPECT(tag_of(route, "/users") != tag && tag_of(user, "/users/:id") != tag);
    EXPECT(cprof_tag_key_of(tag) == route);
    EXPECT(reads(tag, "route", "/users/:id"));
    EXPECT(reads(tag_of(user, ""), "user", ""));
    EXPECT(reads(tag_of(route, CPROF_TAG_OTHER), "route", CPROF_TAG_OTHER));
    EXPECT(!cprof_tag_is_other(tag_of(route, CPROF_TAG_OTHER)));
}

static void a_value_may_contain_any_byte(void)
{
    static const char bytes[] = {'a', '\0', '\n', '\x80', '\xff'};
    struct cprof_tag_text text;
    uint32_t tag = cprof_tag_intern(key_of("route"), bytes, sizeof(bytes));

    EXPECT(cprof_tag_text(tag, &text) && text.value_bytes == sizeof(bytes));
    EXPECT(memcmp(text.value, bytes, sizeof(bytes)) == 0);
    EXPECT(cprof_tag_intern(key_of("route"), bytes, 1) != tag);
}

/* `letters` letters, then `text`. */
static uint32_t bytes_kept(size_t letters, const char *text)
{
    char value[512];
    struct cprof_tag_text kept;

    memset(value, 'x', letters);
    memcpy(value + letters, text, strlen(text));
    EXPECT(cprof_tag_text(cprof_tag_intern(key_of("long"), value, letters + strlen(text)), &kept));
    EXPECT(memcmp(kept.value, value, kept.value_bytes) == 0);
    return kept.value_bytes;
}

static void a_long_value_is_cut_between_characters(void)
{
    EXPECT(bytes_kept(128, "") == 128);
    EXPECT(bytes_kept(300, "") == 128);
    EXPECT(bytes_kept(126, "\xc3\xa9zzz") == 128);
    EXPECT(bytes_kept(127, "\xc3\xa9zzz") == 127);
    EXPECT(bytes_kept(126, "\xe2\x82\xac") == 126);
    EXPECT(bytes_kept(125, "\xf0\x9f\x98\x80z") == 125);
    EXPECT(bytes_kept(120, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80") == 128);
}

static void values_beyond_the_bound_are_other(void)
{
    uint32_t key = key_of("bounded"), first = tag_of(key, "0"), others = 0, tag;
    char value[16];

    for (uint32_t i = 0; i < 1000000; i++) {
        (void)snprintf(value, sizeof(value), "%u", i);
        tag = tag_of(key, value);
        EXPECT(cprof_tag_key_of(tag) == key);
        if (cprof_tag_is_other(tag)) {
            EXPECT(reads(tag, "bounded", CPROF_TAG_OTHER) && tag == cprof_tag_other_of(first));
            others++;
        } else {
            EXPECT(reads(tag, "bounded", value));
        }
    }
    EXPECT(others == 1000000 - CPROF_TAG_VALUES_MAX);
    EXPECT(tag_of(key, "0") == first && reads(tag_of(key, "999"), "bounded", "999"));
}

static void keys_beyond_the_bound_are_refused(void)
{
    char name[CPROF_TAG_KEY_BYTES_MAX + 2];
    uint32_t accepted = 0, last = 0;

    memset(name, 'k', sizeof(name));
    EXPECT(cprof_tag_key(name, 0) == CPROF_TAG_NO_KEY);
    EXPECT(cprof_tag_key(name, CPROF_TAG_KEY_BYTES_MAX + 1) == CPROF_TAG_NO_KEY);
    for (uint32_t i = 0; i < 2 * CPROF_TAG_KEYS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "key%u", i);
        if (key_of(name) != CPROF_TAG_NO_KEY) {
            last = key_of(name);
            accepted++;
        }
    }
    EXPECT(accepted > 0 && accepted < CPROF_TAG_KEYS_MAX && last == CPROF_TAG_KEYS_MAX);
    EXPECT(key_of("route") != CPROF_TAG_NO_KEY && key_of("one more") == CPROF_TAG_NO_KEY);
    EXPECT(tag_of(CPROF_TAG_NO_KEY, "x") == CPROF_TAG_NONE);
    EXPECT(tag_of(CPROF_TAG_KEYS_MAX + 1, "x") == CPROF_TAG_NONE);
}

static void no_number_leads_out_of_the_table(void)
{
    struct cprof_tag_text text;
    uint32_t ids = 0;

    for (uint32_t tag = 0; tag < 70000; tag++) {
        if (cprof_tag_text(tag, &text)) {
            EXPECT(text.key_bytes <= CPROF_TAG_KEY_BYTES_MAX);
            EXPECT(text.value_bytes <= CPROF_TAG_VALUE_BYTES_MAX);
            ids++;
        }
        EXPECT((cprof_tag_key_of(tag) != CPROF_TAG_NO_KEY) == cprof_tag_text(tag, &text));
    }
    EXPECT(ids == CPROF_TAG_KEYS_MAX * (CPROF_TAG_VALUES_MAX + 1));
    EXPECT(!cprof_tag_text(UINT32_MAX, &text) && !cprof_tag_is_other(UINT32_MAX));
    EXPECT(cprof_tag_other_of(UINT32_MAX) == CPROF_TAG_NONE);
}

int main(void)
{
    RUN(nothing_is_accepted_before_there_is_memory);
    RUN(the_same_texts_have_the_same_id);
    RUN(a_value_may_contain_any_byte);
    RUN(a_long_value_is_cut_between_characters);
    RUN(values_beyond_the_bound_are_other);
    RUN(keys_beyond_the_bound_are_refused);
    RUN(no_number_leads_out_of_the_table);
    return 0;
}
