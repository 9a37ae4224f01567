/* cpython_310.h - CPython 3.10. Included by runtime.c alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common.h"

static const struct cprof_python_layout built_layout = {
    .minor = 10,
    .instruction = CPROF_INSTRUCTION_INDEX_UNITS, /* f_lasti counts code units */
    .line_format = CPROF_LINES_TABLE_310,
    .code_line_table = offsetof(PyCodeObject, co_linetable),
    .gil_place = CPROF_GIL_IN_RUNTIME,
    .owner_not_python = 255,
    LAYOUT_OF_FRAME_OBJECTS,
    .tstate_id = offsetof(PyThreadState, id),
    LAYOUT_OF_THREAD_STATES,
    LAYOUT_OF_OBJECTS,
};
