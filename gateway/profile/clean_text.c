/* clean_text.c - see clean_text.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "clean_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

static size_t sequence_bytes(uint8_t first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        return 2;
    }
    if (first >= 0xe0 && first <= 0xef) {
        return 3;
    }
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* Bidirectional controls (Unicode's Bidi_Control): they make a reader see another order than the
 * characters have. */
static bool turns_text(const uint8_t *at, size_t bytes)
{
    if (bytes == 2) {
        return at[0] == 0xd8 && at[1] == 0x9c; /* U+061C */
    }
    if (bytes != 3 || at[0] != 0xe2) {
        return false;
    }
    return (at[1] == 0x80 && (at[2] == 0x8e || at[2] == 0x8f)) || /* U+200E, U+200F */
           (at[1] == 0x80 && at[2] >= 0xaa && at[2] <= 0xae) ||   /* U+202A to U+202E */
           (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9);     /* U+2066 to U+2069 */
}

/* The length of the valid and printable character at `at`, or 0. The second byte decides what
 * would be overlong, a surrogate or beyond U+10FFFF (Unicode, table 3-7). */
static size_t character_bytes(const uint8_t *at, size_t left)
{
    size_t bytes = sequence_bytes(at[0]);

    if (bytes == 0 || bytes > left) {
        return 0;
    }
    for (size_t i = 1; i < bytes; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if (bytes == 1) {
        return at[0] >= 0x20 && at[0] != 0x7f;
    }
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f)) {
        return 0;
    }
    /* U+0080 to U+009F are control characters too. */
    return (at[0] == 0xc2 && at[1] < 0xa0) || turns_text(at, bytes) ? 0 : bytes;
}

size_t cprof_clean_text(char *out, size_t out_bytes, const void *text, size_t bytes)
{
    const uint8_t *at = text;
    size_t used = 0;

    while (bytes > 0) {
        size_t valid = character_bytes(at, bytes);
        const void *from = valid ? (const void *)at : replacement;
        size_t length = valid ? valid : sizeof(replacement) - 1;

        if (used + length + 1 > out_bytes) {
            break;
        }
        memcpy(out + used, from, length);
        used += length;
        at += valid ? valid : 1;
        bytes -= valid ? valid : 1;
    }
    out[used] = '\0';
    return used;
}
