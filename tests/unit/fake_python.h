/* fake_python.h - code objects without an interpreter, for tests of what reads them.
 *
 * The layout is this file's own: nothing that reads by a struct cprof_python_layout may know
 * another one.
 *
 * Names: a test that uses it says `sources: tests/unit/fake_python.c` at its top.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_FAKE_PYTHON_H
#define CPROF_FAKE_PYTHON_H

#include <stdint.h>

#include "../../plugin/python/runtime.h"

/* An interpreter that knows its code objects and nothing else. */
extern const struct cprof_python fake_python;

#define FAKE_LINE_TABLE_BYTES_MAX 300000u
#define FAKE_FIRST_TRACEABLE_BYTE 4
#define FAKE_BYTES_HEAD_BYTES     24u

struct fake_code_object;

/* A code object called `name`, qualified "Fake.<name>", in file "/fake/<name>.py", whose line
 * table has line_table_bytes bytes of the value fake_line_byte gives. Freed by the caller. */
struct fake_code_object *fake_code_object_create(const char *name, int32_t first_line,
                                                 uint32_t line_table_bytes);
void fake_code_object_free(struct fake_code_object *object);

/* Makes another code object of it at the same address. */
void fake_code_object_rename(struct fake_code_object *object, const char *name);

/* Lets its line table be one of `bytes` bytes whose head stands in the FAKE_BYTES_HEAD_BYTES at
 * `where`, an address for a word; the bytes are what lies behind. */
void fake_code_object_set_line_table(struct fake_code_object *object, void *where, uint64_t bytes);

/* Takes its type away: what is left is no code object. */
void fake_code_object_spoil(struct fake_code_object *object);

uintptr_t fake_code_address(const struct fake_code_object *object);
uint8_t fake_line_byte(uint32_t index);

#endif
