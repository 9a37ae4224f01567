/* clean_text.h - makes any bytes a text that is safe to print and to put into a profile.
 *
 * Callers   whoever takes text from a stranger: the log reader, the reader of profile files.
 * Memory    the caller's buffer; nothing is allocated.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CLEAN_TEXT_H
#define CPROF_CLEAN_TEXT_H

#include <stddef.h>

/* The most that `bytes` bytes can become, with the NUL: each may turn into one U+FFFD. */
#define CPROF_CLEAN_TEXT_BYTES(bytes) ((bytes)*3 + 1)

/* Copies text to out as valid UTF-8, NUL-terminated. Each byte that is not part of a valid
 * sequence, or is part of a control character or of one that turns the direction of text, becomes
 * U+FFFD. Ends early, between characters, when
 * out_bytes (at least 1) is too small. Returns the length without the NUL. */
size_t cprof_clean_text(char *out, size_t out_bytes, const void *text, size_t bytes);

#endif
