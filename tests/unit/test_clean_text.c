/* test_clean_text.c - see gateway/profile/clean_text.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../../gateway/profile/clean_text.h"
#include "expect.h"

#define LOST "\xef\xbf\xbd"

static void becomes(const char *text, const char *wanted)
{
    char out[256];

    EXPECT(cprof_clean_text(out, sizeof(out), text, strlen(text)) == strlen(wanted));
    EXPECT(strcmp(out, wanted) == 0);
}

static void valid_text_stays_as_it_is(void)
{
    becomes("", "");
    becomes("Shop.price", "Shop.price");
    becomes("caf\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x90\x8d",
            "caf\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x90\x8d");
}

static void invalid_bytes_are_replaced_one_by_one(void)
{
    becomes("a\xff z", "a" LOST " z");
    becomes("\xc3", LOST);                            /* ends too early */
    becomes("\xc0\xaf", LOST LOST);                   /* overlong */
    becomes("\xed\xa0\x80", LOST LOST LOST);          /* a surrogate */
    becomes("\xf4\x90\x80\x80", LOST LOST LOST LOST); /* beyond U+10FFFF */
    becomes("\xe0\x80\xaf!", LOST LOST LOST "!");
}

static void control_characters_are_replaced(void)
{
    becomes("a\nb\x1b[2J\x7f", "a" LOST "b" LOST "[2J" LOST);
    becomes("\xc2\x9b", LOST LOST); /* U+009B, which terminals obey */
}

static void characters_that_turn_the_direction_of_text_are_replaced(void)
{
    static const char *const turning[] = {
        "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xaa",
        "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9",
    };

    for (size_t i = 0; i < sizeof(turning) / sizeof(turning[0]); i++) {
        becomes(turning[i], LOST LOST LOST);
    }
    becomes("\xd8\x9c", LOST LOST);
    becomes("\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa9\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
            "\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa9\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa");
    becomes("\xd7\xa9\xd8\xb4", "\xd7\xa9\xd8\xb4"); /* letters that run leftwards stay */
}

static void a_short_buffer_cuts_between_characters(void)
{
    char out[5];

    EXPECT(cprof_clean_text(out, sizeof(out), "abc\xc3\xa9", 5) == 3);
    EXPECT(strcmp(out, "abc") == 0);
    EXPECT(cprof_clean_text(out, 1, "abc", 3) == 0 && out[0] == '\0');
}

int main(void)
{
    RUN(valid_text_stays_as_it_is);
    RUN(invalid_bytes_are_replaced_one_by_one);
    RUN(control_characters_are_replaced);
    RUN(characters_that_turn_the_direction_of_text_are_replaced);
    RUN(a_short_buffer_cuts_between_characters);
    return 0;
}
