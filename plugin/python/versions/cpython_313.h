/* cpython_313.h - CPython 3.13. Included by runtime.c alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <internal/pycore_code.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_interp.h>

static const struct cprof_python_layout built_layout = {
    .minor = 13,
    .head = CPROF_HEAD_DIRECT,
    .current = CPROF_CURRENT_OF_CALLER,
    .line_format = CPROF_LINES_TABLE_311,
    .links_late = false,
    .entry_window_bytes = 0,
    .current_symbol = "PyThreadState_GetUnchecked",
    .tstate_next = offsetof(PyThreadState, next),
    .tstate_interp = offsetof(PyThreadState, interp),
    .tstate_id = offsetof(PyThreadState, id),
    .tstate_native_thread_id = offsetof(PyThreadState, native_thread_id),
    .tstate_head = offsetof(PyThreadState, current_frame),
    .interp_next = offsetof(PyInterpreterState, next),
    .interp_threads_head = offsetof(PyInterpreterState, threads.head),
    .frame_bytes = 72,
    .frame_code = offsetof(_PyInterpreterFrame, f_executable),
    .frame_previous = offsetof(_PyInterpreterFrame, previous),
    .frame_instruction = offsetof(_PyInterpreterFrame, instr_ptr),
    .frame_owner = offsetof(_PyInterpreterFrame, owner),
    .owner_generator = FRAME_OWNED_BY_GENERATOR,
    .owner_not_python = FRAME_OWNED_BY_CSTACK,
    .code_bytes = offsetof(PyCodeObject, co_code_adaptive),
    .code_name = offsetof(PyCodeObject, co_name),
    .code_qualified_name = offsetof(PyCodeObject, co_qualname),
    .code_file = offsetof(PyCodeObject, co_filename),
    .code_first_line = offsetof(PyCodeObject, co_firstlineno),
    .code_line_table = offsetof(PyCodeObject, co_linetable),
    .code_first_traceable = offsetof(PyCodeObject, _co_firsttraceable),
    .code_bytecode = offsetof(PyCodeObject, co_code_adaptive),
    .object_type = offsetof(PyObject, ob_type),
    .bytes_size = offsetof(PyVarObject, ob_size),
    .bytes_data = offsetof(PyBytesObject, ob_sval),
    .unicode_length = offsetof(PyASCIIObject, length),
    .unicode_state = offsetof(PyASCIIObject, state),
    .unicode_ascii_data = sizeof(PyASCIIObject),
    .unicode_compact_data = sizeof(PyCompactUnicodeObject),
};
