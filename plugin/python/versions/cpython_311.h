/* cpython_311.h - CPython 3.11. Included by runtime.c alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <internal/pycore_frame.h>
#include <internal/pycore_interp.h>

static const struct cprof_python_layout built_layout = {
    .minor = 11,
    .head = CPROF_HEAD_CFRAME,
    .current = CPROF_CURRENT_OF_HOLDER,
    .line_format = CPROF_LINES_TABLE_311,
    .links_late = true,
    /* The window is 0x42 to 0x63 in 3.11.7's build; other builds shift it by some bytes. */
    .entry_window_bytes = 256,
    .current_symbol = "_PyThreadState_UncheckedGet",
    .tstate_next = offsetof(PyThreadState, next),
    .tstate_interp = offsetof(PyThreadState, interp),
    .tstate_id = offsetof(PyThreadState, id),
    .tstate_native_thread_id = offsetof(PyThreadState, native_thread_id),
    .tstate_head = offsetof(PyThreadState, cframe),
    .tstate_root_cframe = offsetof(PyThreadState, root_cframe),
    .cframe_current_frame = offsetof(_PyCFrame, current_frame),
    .interp_next = offsetof(PyInterpreterState, next),
    .interp_threads_head = offsetof(PyInterpreterState, threads.head),
    .frame_bytes = 72,
    .frame_code = offsetof(_PyInterpreterFrame, f_code),
    .frame_previous = offsetof(_PyInterpreterFrame, previous),
    .frame_instruction = offsetof(_PyInterpreterFrame, prev_instr),
    .frame_owner = offsetof(_PyInterpreterFrame, owner),
    .owner_generator = FRAME_OWNED_BY_GENERATOR,
    .owner_not_python = 255,
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
