/* cpython_312.h - CPython 3.12. Included by runtime.c alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common.h"

#include <internal/pycore_code.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_interp.h>

static const struct cprof_python_layout built_layout = {
    .minor = 12,
    .head = CPROF_HEAD_CFRAME,
    .current = CPROF_CURRENT_OF_CALLER,
    .current_symbol = "_PyThreadState_UncheckedGet",
    .links_late = true,
    .entry_window_bytes = 256,
    .tstate_native_thread_id = offsetof(PyThreadState, native_thread_id),
    .tstate_head = offsetof(PyThreadState, cframe),
    .cframe_current_frame = offsetof(_PyCFrame, current_frame),
    LAYOUT_OF_INNERMOST_FRAMES,
    .interp_next = offsetof(PyInterpreterState, next),
    .interp_threads_head = offsetof(PyInterpreterState, threads.head),
    LAYOUT_OF_OWN_LOCKS,
    .gil_owner = CPROF_GIL_OWNER_LAST_HOLDER,
    .gil_last_holder = offsetof(struct _gil_runtime_state, last_holder),
    .gil_locked = offsetof(struct _gil_runtime_state, locked),
    .frame_bytes = offsetof(_PyInterpreterFrame, localsplus),
    .frame_code = offsetof(_PyInterpreterFrame, f_code),
    .frame_previous = offsetof(_PyInterpreterFrame, previous),
    .frame_instruction = offsetof(_PyInterpreterFrame, prev_instr),
    .frame_owner = offsetof(_PyInterpreterFrame, owner),
    .frame_object_frame = offsetof(PyFrameObject, f_frame),
    .owner_generator = FRAME_OWNED_BY_GENERATOR,
    .owner_not_python = FRAME_OWNED_BY_CSTACK,
    LAYOUT_OF_ADAPTIVE_CODE,
    .tstate_id = offsetof(PyThreadState, id),
    LAYOUT_OF_THREAD_STATES,
    LAYOUT_OF_OBJECTS,
};
