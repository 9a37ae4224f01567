/* code_object.h - the fields of a code object that a profile needs, read without Python.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PYTHON_CODE_OBJECT_H
#define CPROF_PYTHON_CODE_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "peek.h"
#include "runtime.h"

struct cprof_code_object {
    uintptr_t name;           /* str objects */
    uintptr_t qualified_name; /* 0: this CPython keeps none */
    uintptr_t file;
    uintptr_t line_table; /* the bytes of it, inside an immutable bytes object */
    uint64_t line_table_bytes;
    int32_t first_line;
    uint32_t first_traceable_byte; /* a frame before this offset is still being set up */
};

/* Reads the code object at `address`; false when it cannot be read or is none (its type is
 * compared with PyCode_Type). The addresses in *code are as good as the code object lives. */
CPROF_SIGSAFE bool cprof_code_object_read(const struct cprof_python *python,
                                          enum cprof_peek_way way, uintptr_t address,
                                          struct cprof_code_object *code);

#endif
