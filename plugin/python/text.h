/* text.h - str objects to UTF-8, without allocation and without calling Python.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PYTHON_TEXT_H
#define CPROF_PYTHON_TEXT_H

#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "peek.h"
#include "versions/layout.h"

/* Writes the UTF-8 form of the str object at `address` to `to`, at most `to_bytes` bytes and
 * whole characters only; no NUL. Lone surrogates become U+FFFD. Returns the number of bytes;
 * 0 also when the object cannot be read or is no compact str (names of code always are). */
CPROF_SIGSAFE uint32_t cprof_text_copy(const struct cprof_python_layout *layout,
                                       enum cprof_peek_way way, uintptr_t address, char *to,
                                       uint32_t to_bytes);

#endif
