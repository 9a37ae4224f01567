/* html_text.h - text for HTML and SVG.
 *
 * Callers   whoever writes a page. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_HTML_TEXT_H
#define CPROF_HTML_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Writes at most `bytes` bytes of the text, cut between characters, with what means something in
 * markup or in an attribute's quotes escaped. Control characters become U+FFFD. */
void cprof_html_write(FILE *out, const char *text, size_t bytes);

#endif
