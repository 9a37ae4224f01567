/* html_text.c - see html_text.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "html_text.h"

#include <string.h>

static void write_character(FILE *out, char c)
{
    switch (c) {
    case '&':
        (void)fputs("&amp;", out);
        break;
    case '<':
        (void)fputs("&lt;", out);
        break;
    case '>':
        (void)fputs("&gt;", out);
        break;
    case '"':
        (void)fputs("&quot;", out);
        break;
    case '\'':
        (void)fputs("&#39;", out);
        break;
    default:
        if (((unsigned char)c < 0x20 && c != '\n') || c == 0x7f) {
            (void)fputs("\xef\xbf\xbd", out);
        } else {
            (void)fputc(c, out);
        }
    }
}

void cprof_html_write(FILE *out, const char *text, size_t bytes)
{
    size_t length = strnlen(text, bytes);

    while (length > 0 && text[length] != '\0' && ((unsigned char)text[length] & 0xc0) == 0x80) {
        length--;
    }
    for (size_t i = 0; i < length; i++) {
        write_character(out, text[i]);
    }
}
