/* cpython_36.h - CPython 3.6. Included by runtime.c alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common.h"

static const struct cprof_python_layout built_layout = {
    .minor = 6,
    .instruction = CPROF_INSTRUCTION_INDEX_BYTES, /* f_lasti counts bytes */
    .line_format = CPROF_LINES_LNOTAB,
    .code_line_table = offsetof(PyCodeObject, co_lnotab),
    .gil_place = CPROF_GIL_IN_DATA,
    .owner_not_python = 255,
    LAYOUT_OF_FRAME_OBJECTS,
    /* There is no id yet: the owner's pthread_self() is what tells two states apart. */
    .tstate_id = offsetof(PyThreadState, thread_id),
    LAYOUT_OF_THREAD_STATES,
    LAYOUT_OF_OBJECTS,
};
