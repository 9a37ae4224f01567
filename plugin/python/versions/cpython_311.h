/* cpython_311.h - CPython 3.11. Included by runtime.c alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common.h"

#include <internal/pycore_frame.h>
#include <internal/pycore_interp.h>

static const struct cprof_python_layout built_layout = {
    .minor = 11,
    .head = CPROF_HEAD_CFRAME,
    .current = CPROF_CURRENT_OF_HOLDER,
    .current_symbol = "_PyThreadState_UncheckedGet",
    .links_late = true,
    /* The window is 0x42 to 0x63 in 3.11.7's build; other builds shift it by some bytes. */
    .entry_window_bytes = 256,
    .tstate_native_thread_id = offsetof(PyThreadState, native_thread_id),
    .tstate_head = offsetof(PyThreadState, cframe),
    .cframe_current_frame = offsetof(_PyCFrame, current_frame),
    LAYOUT_OF_INNERMOST_FRAMES,
    .frame_is_entry = offsetof(_PyInterpreterFrame, is_entry),
    .interp_next = offsetof(PyInterpreterState, next),
    .interp_threads_head = offsetof(PyInterpreterState, threads.head),
    .frame_bytes = offsetof(_PyInterpreterFrame, localsplus),
    .frame_code = offsetof(_PyInterpreterFrame, f_code),
    .frame_previous = offsetof(_PyInterpreterFrame, previous),
    .frame_instruction = offsetof(_PyInterpreterFrame, prev_instr),
    .frame_owner = offsetof(_PyInterpreterFrame, owner),
    .frame_object_frame = offsetof(PyFrameObject, f_frame),
    .owner_generator = FRAME_OWNED_BY_GENERATOR,
    .gil_place = CPROF_GIL_IN_RUNTIME,
    .owner_not_python = 255,
    LAYOUT_OF_ADAPTIVE_CODE,
    .tstate_id = offsetof(PyThreadState, id),
    LAYOUT_OF_THREAD_STATES,
    LAYOUT_OF_OBJECTS,
};
