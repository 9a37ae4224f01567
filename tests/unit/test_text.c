/* test_text.c - str objects laid out by hand, as CPython 3.11 and 3.13 have them; see
 * plugin/python/text.h.
 *
 * sources: plugin/python/text.c plugin/python/peek.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/python/text.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "expect.h"

/* Offsets in PyASCIIObject and PyCompactUnicodeObject, and their sizes: 3.11 still has `wstr`. */
static const struct cprof_python_layout layouts[] = {
    {.minor = 11,
     .unicode_length = 16,
     .unicode_state = 32,
     .unicode_ascii_data = 48,
     .unicode_compact_data = 72},
    {.minor = 13,
     .unicode_length = 16,
     .unicode_state = 32,
     .unicode_ascii_data = 40,
     .unicode_compact_data = 56},
};
#define LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

static const enum cprof_peek_way ways[] = {CPROF_PEEK_SYSTEM, CPROF_PEEK_DIRECT};

#define ASCII_BYTES_MAX 4096u
#define REPLACEMENT     "\xef\xbf\xbd"

/* A str object of `kind` bytes a character, ending where readable memory ends. */
struct string {
    uint8_t *memory;
    size_t memory_bytes;
    uintptr_t address;
};

static struct string make(const struct cprof_python_layout *layout, const void *characters,
                          uint64_t length, uint32_t kind, bool ascii)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t header = ascii ? layout->unicode_ascii_data : layout->unicode_compact_data;
    size_t bytes = header + (length + 1) * kind; /* a zero character ends each */
    size_t rounded = (bytes + 15) / 16 * 16;
    struct string string = {.memory_bytes = (rounded + page - 1) / page * page + page};
    uint64_t state = 1u | kind << 2u | 1u << 5u | (ascii ? 1u << 6u : 0u);
    uint8_t *object;

    string.memory =
        mmap(NULL, string.memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(string.memory != MAP_FAILED);
    EXPECT(mprotect(string.memory + string.memory_bytes - page, page, PROT_NONE) == 0);
    object = string.memory + string.memory_bytes - page - rounded;
    /* The bits behind the flags are nobody's. */
    state |= UINT64_C(0xABABABAB) << 32;
    memcpy(object + layout->unicode_length, &length, sizeof(length));
    memcpy(object + layout->unicode_state, &state, sizeof(state));
    memcpy(object + header, characters, length * kind);
    string.address = (uintptr_t)object;
    return string;
}

static void drop(const struct string *string)
{
    EXPECT(munmap(string->memory, string->memory_bytes) == 0);
}

static void becomes(const void *characters, uint64_t length, uint32_t kind, bool ascii,
                    const char *wanted, uint32_t to_bytes)
{
    char to[ASCII_BYTES_MAX];

    EXPECT(to_bytes < sizeof(to));
    for (size_t i = 0; i < LAYOUTS * 2; i++) {
        struct string string = make(&layouts[i / 2], characters, length, kind, ascii);
        uint32_t bytes;

        memset(to, '#', sizeof(to));
        bytes = cprof_text_copy(&layouts[i / 2], ways[i % 2], string.address, to, to_bytes);
        EXPECT(bytes == strlen(wanted) && memcmp(to, wanted, bytes) == 0);
        EXPECT(to[to_bytes] == '#');
        drop(&string);
    }
}

static void ascii_text_is_copied(void)
{
    becomes("Shop.price", 10, 1, true, "Shop.price", 64);
    becomes("", 0, 1, true, "", 64);
    becomes("x", 1, 1, true, "x", 1);
}

static void ascii_text_is_cut_at_the_end_of_the_buffer(void)
{
    becomes("Shop.price", 10, 1, true, "Shop", 4);
    becomes("Shop.price", 10, 1, true, "", 0);
}

static void latin_text_becomes_utf8(void)
{
    static const uint8_t text[] = {'c', 'a', 'f', 0xE9, 0xFF, 0x80};

    becomes(text, 6, 1, false, "caf\xc3\xa9\xc3\xbf\xc2\x80", 64);
}

static void two_byte_text_becomes_utf8(void)
{
    static const uint16_t text[] = {'a', 0xE9, 0x7FF, 0x800, 0x4E2D, 0xFFFF};

    becomes(text, 6, 2, false, "a\xc3\xa9\xdf\xbf\xe0\xa0\x80\xe4\xb8\xad\xef\xbf\xbf", 64);
}

static void four_byte_text_becomes_utf8(void)
{
    static const uint32_t text[] = {'a', 0x4E2D, 0x10000, 0x1F40D, 0x10FFFF};

    becomes(text, 5, 4, false, "a\xe4\xb8\xad\xf0\x90\x80\x80\xf0\x9f\x90\x8d\xf4\x8f\xbf\xbf", 64);
}

static void lone_surrogates_become_replacement_characters(void)
{
    static const uint16_t narrow[] = {0xD7FF, 0xD800, 'x', 0xDFFF, 0xE000};
    static const uint32_t wide[] = {0x1F40D, 0xDC80};

    becomes(narrow, 5, 2, false, "\xed\x9f\xbf" REPLACEMENT "x" REPLACEMENT "\xee\x80\x80", 64);
    becomes(wide, 2, 4, false, "\xf0\x9f\x90\x8d" REPLACEMENT, 64);
}

static void only_whole_characters_are_kept(void)
{
    static const uint8_t latin[] = {'a', 0xE9, 'b'};
    static const uint16_t narrow[] = {'a', 0x4E2D, 'b'};
    static const uint32_t wide[] = {'a', 0x1F40D, 'b'};

    becomes(latin, 3, 1, false, "a", 2);
    becomes(latin, 3, 1, false, "a\xc3\xa9", 3);
    becomes(narrow, 3, 2, false, "a", 3);
    becomes(narrow, 3, 2, false, "a\xe4\xb8\xad", 4);
    becomes(wide, 3, 4, false, "a", 4);
    becomes(wide, 3, 4, false, "a\xf0\x9f\x90\x8d", 5);
    becomes(wide, 3, 4, false,
            "a\xf0\x9f\x90\x8d"
            "b",
            6);
}

static void long_text_is_read_in_pieces(void)
{
    static uint32_t wide[1000];
    static char wanted[4001];

    for (size_t i = 0; i < 1000; i++) {
        wide[i] = 0x1F40D;
        memcpy(wanted + i * 4, "\xf0\x9f\x90\x8d", 4);
    }
    becomes(wide, 1000, 4, false, wanted, 4001);
    wanted[1020] = '\0';
    becomes(wide, 1000, 4, false, wanted, 1023);
}

static uint32_t copy_of(const struct cprof_python_layout *layout, uintptr_t address)
{
    char to[64];
    uint32_t direct = cprof_text_copy(layout, CPROF_PEEK_DIRECT, address, to, sizeof(to));

    EXPECT(cprof_text_copy(layout, CPROF_PEEK_SYSTEM, address, to, sizeof(to)) == direct);
    return direct;
}

static void an_address_that_cannot_be_read_gives_no_text(void)
{
    for (size_t i = 0; i < LAYOUTS; i++) {
        EXPECT(copy_of(&layouts[i], 0) == 0);
        EXPECT(copy_of(&layouts[i], 0xdead0000) == 0);
        EXPECT(copy_of(&layouts[i], UINTPTR_MAX - 31) == 0);
    }
}

static void set_length(const struct cprof_python_layout *layout, const struct string *string,
                       uint64_t length)
{
    size_t offset = string->address - (uintptr_t)string->memory;

    memcpy(string->memory + offset + layout->unicode_length, &length, sizeof(length));
}

static void a_text_that_ends_in_nowhere_gives_no_text(void)
{
    static const uint16_t narrow[] = {0x4E2D, 0x4E2D};

    for (size_t i = 0; i < LAYOUTS; i++) {
        struct string string = make(&layouts[i], "abc", 3, 1, true);

        set_length(&layouts[i], &string, UINT64_MAX);
        EXPECT(copy_of(&layouts[i], string.address) == 0);
        drop(&string);
        string = make(&layouts[i], narrow, 2, 2, false);
        set_length(&layouts[i], &string, 1000);
        EXPECT(copy_of(&layouts[i], string.address) == 0);
        set_length(&layouts[i], &string, UINT64_MAX);
        EXPECT(copy_of(&layouts[i], string.address) == 0);
        drop(&string);
    }
}

static void set_state(const struct cprof_python_layout *layout, const struct string *string,
                      uint64_t state)
{
    size_t offset = string->address - (uintptr_t)string->memory;

    memcpy(string->memory + offset + layout->unicode_state, &state, sizeof(state));
}

static void an_object_that_is_no_compact_text_gives_no_text(void)
{
    for (size_t i = 0; i < LAYOUTS; i++) {
        struct string string = make(&layouts[i], "abcdefgh", 8, 1, true);

        set_state(&layouts[i], &string, 1u << 2u | 1u << 6u); /* not compact */
        EXPECT(copy_of(&layouts[i], string.address) == 0);
        for (uint32_t kind = 0; kind < 8; kind++) {
            if (kind == 1 || kind == 2 || kind == 4) {
                continue;
            }
            set_state(&layouts[i], &string, kind << 2u | 1u << 5u);
            EXPECT(copy_of(&layouts[i], string.address) == 0);
        }
        drop(&string);
    }
}

int main(void)
{
    cprof_peek_install();
    RUN(ascii_text_is_copied);
    RUN(ascii_text_is_cut_at_the_end_of_the_buffer);
    RUN(latin_text_becomes_utf8);
    RUN(two_byte_text_becomes_utf8);
    RUN(four_byte_text_becomes_utf8);
    RUN(lone_surrogates_become_replacement_characters);
    RUN(only_whole_characters_are_kept);
    RUN(long_text_is_read_in_pieces);
    RUN(an_address_that_cannot_be_read_gives_no_text);
    RUN(a_text_that_ends_in_nowhere_gives_no_text);
    RUN(an_object_that_is_no_compact_text_gives_no_text);
    return 0;
}
