/* text.c - see text.h. SIGSAFE FILE (tools/sigsafe).
 *
 * A compact str is a header followed by its characters, 1, 2 or 4 bytes each; `state` tells
 * which (CPython 3.6 to 3.14, Include/cpython/unicodeobject.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include "text.h"

/* The bit field `state`: interned 2 bits, kind 3, compact 1, ascii 1. */
#define STATE_KIND_SHIFT 2u
#define STATE_KIND_MASK  7u
#define STATE_COMPACT    (1u << 5)
#define STATE_ASCII      (1u << 6)

#define REPLACEMENT_CHARACTER 0xFFFDu
#define CHARACTERS_AT_ONCE    64u

static uint32_t encode_character(uint32_t character, char encoded[4])
{
    if (character >= 0xD800 && character <= 0xDFFF) {
        character = REPLACEMENT_CHARACTER;
    }
    if (character < 0x80) {
        encoded[0] = (char)character;
        return 1;
    }
    if (character < 0x800) {
        encoded[0] = (char)(0xC0 | character >> 6);
        encoded[1] = (char)(0x80 | (character & 0x3F));
        return 2;
    }
    if (character < 0x10000) {
        encoded[0] = (char)(0xE0 | character >> 12);
        encoded[1] = (char)(0x80 | (character >> 6 & 0x3F));
        encoded[2] = (char)(0x80 | (character & 0x3F));
        return 3;
    }
    encoded[0] = (char)(0xF0 | (character >> 18 & 0x07));
    encoded[1] = (char)(0x80 | (character >> 12 & 0x3F));
    encoded[2] = (char)(0x80 | (character >> 6 & 0x3F));
    encoded[3] = (char)(0x80 | (character & 0x3F));
    return 4;
}

static uint32_t character_at(const uint8_t *characters, uint32_t kind, uint32_t index)
{
    if (kind == 1) {
        return characters[index];
    }
    if (kind == 2) {
        return ((const uint16_t *)(const void *)characters)[index];
    }
    return ((const uint32_t *)(const void *)characters)[index];
}

/* Appends whole characters until one does not fit; returns the new number of bytes used and
 * sets *full then. */
static uint32_t append_characters(char *to, uint32_t to_bytes, uint32_t used,
                                  const uint8_t *characters, uint32_t kind, uint32_t count,
                                  bool *full)
{
    for (uint32_t i = 0; i < count; i++) {
        char encoded[4];
        uint32_t bytes = encode_character(character_at(characters, kind, i), encoded);

        if (used + bytes > to_bytes) {
            *full = true;
            return used;
        }
        for (uint32_t j = 0; j < bytes; j++) {
            to[used++] = encoded[j];
        }
    }
    return used;
}

static uint32_t copy_wide(enum cprof_peek_way way, uintptr_t data, uint64_t length, uint32_t kind,
                          char *to, uint32_t to_bytes)
{
    uint64_t characters[CHARACTERS_AT_ONCE * 4 / sizeof(uint64_t)]; /* aligned for each kind */
    uint32_t used = 0;
    bool full = false;

    for (uint64_t done = 0; done < length && !full; done += CHARACTERS_AT_ONCE) {
        uint64_t rest = length - done;
        uint32_t count = rest < CHARACTERS_AT_ONCE ? (uint32_t)rest : CHARACTERS_AT_ONCE;

        if (!cprof_peek_bytes(way, characters, data + done * kind, (size_t)count * kind)) {
            return 0;
        }
        used =
            append_characters(to, to_bytes, used, (const uint8_t *)characters, kind, count, &full);
    }
    return used;
}

uint32_t cprof_text_copy(const struct cprof_python_layout *layout, enum cprof_peek_way way,
                         uintptr_t address, char *to, uint32_t to_bytes)
{
    uint64_t length, state;
    uint32_t kind;

    if (!cprof_peek_words(way, &length, address + layout->unicode_length, 1) ||
        !cprof_peek_words(way, &state, address + layout->unicode_state, 1) ||
        !(state & STATE_COMPACT)) {
        return 0;
    }
    if (state & STATE_ASCII) {
        uint32_t bytes = length < to_bytes ? (uint32_t)length : to_bytes;

        return cprof_peek_bytes(way, to, address + layout->unicode_ascii_data, bytes) ? bytes : 0;
    }
    kind = (uint32_t)(state >> STATE_KIND_SHIFT) & STATE_KIND_MASK;
    if (kind != 1 && kind != 2 && kind != 4) {
        return 0;
    }
    return copy_wide(way, address + layout->unicode_compact_data, length, kind, to, to_bytes);
}
