/* cpython_315.h - CPython 3.15. Included by runtime.c alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common.h"

#include <internal/pycore_code.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_interpframe_structs.h>

static const struct cprof_python_layout built_layout = {
    .minor = 15,
    .head = CPROF_HEAD_DIRECT,
    .current = CPROF_CURRENT_OF_CALLER,
    .current_symbol = "PyThreadState_GetUnchecked",
    .tstate_native_thread_id = offsetof(PyThreadState, native_thread_id),
    .tstate_head = offsetof(PyThreadState, current_frame),
    .interp_next = offsetof(PyInterpreterState, next),
    .interp_threads_head = offsetof(PyInterpreterState, threads.head),
    LAYOUT_OF_OWN_LOCKS,
    .gil_owner = CPROF_GIL_OWNER_ATTACHED,
    .tstate_status = offsetof(PyThreadState, state),
    .frame_bytes = offsetof(_PyInterpreterFrame, localsplus),
    .frame_code = offsetof(_PyInterpreterFrame, f_executable),
    .code_tag_mask = 3, /* f_executable is a _PyStackRef, whose low bits are tags */
    .frame_previous = offsetof(_PyInterpreterFrame, previous),
    .frame_instruction = offsetof(_PyInterpreterFrame, instr_ptr),
    .frame_owner = offsetof(_PyInterpreterFrame, owner),
    .frame_object_frame = offsetof(PyFrameObject, f_frame),
    .owner_generator = FRAME_OWNED_BY_GENERATOR,
    .owner_not_python = FRAME_OWNED_BY_INTERPRETER,
    LAYOUT_OF_ADAPTIVE_CODE,
    .tstate_id = offsetof(PyThreadState, id),
    LAYOUT_OF_THREAD_STATES,
    LAYOUT_OF_OBJECTS,
};
