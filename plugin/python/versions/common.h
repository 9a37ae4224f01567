/* common.h - the parts of a layout that several CPython versions share. Included by the files
 * beside it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_VERSIONS_COMMON_H
#define CPROF_VERSIONS_COMMON_H

#include <Python.h>
#include <frameobject.h>

#include <stddef.h>

#include "../../../shared/segment/layout.h"
#include "layout.h"

/* Objects: their headers are public. */
#define LAYOUT_OF_OBJECTS                                                                          \
    .object_type = offsetof(PyObject, ob_type), .bytes_size = offsetof(PyVarObject, ob_size),      \
    .bytes_data = offsetof(PyBytesObject, ob_sval),                                                \
    .unicode_length = offsetof(PyASCIIObject, length),                                             \
    .unicode_state = offsetof(PyASCIIObject, state), .unicode_ascii_data = sizeof(PyASCIIObject),  \
    .unicode_compact_data = sizeof(PyCompactUnicodeObject)

/* Context variables are kept from 3.7 on. */
#if PY_VERSION_HEX >= 0x03070000
#if PY_VERSION_HEX >= 0x03080000
#include <internal/pycore_context.h>
#else
#include <internal/context.h>
#endif
#define CONTEXT_OFFSET          offsetof(PyThreadState, context)
#define CONTEXT_PREVIOUS_OFFSET offsetof(PyContext, ctx_prev)
#define CONTEXT_VERSION_OFFSET  offsetof(PyThreadState, context_ver)
#else
#define CONTEXT_OFFSET          0
#define CONTEXT_PREVIOUS_OFFSET 0
#define CONTEXT_VERSION_OFFSET  0
#endif

/* What every version keeps of a thread state. */
#define LAYOUT_OF_THREAD_STATES                                                                    \
    .tstate_next = offsetof(PyThreadState, next),                                                  \
    .tstate_interp = offsetof(PyThreadState, interp),                                              \
    .tstate_owner = offsetof(PyThreadState, thread_id), .tstate_context = CONTEXT_OFFSET,          \
    .context_previous = CONTEXT_PREVIOUS_OFFSET, .tstate_context_version = CONTEXT_VERSION_OFFSET

/* 3.6 to 3.10: frames are PyFrameObjects, chained from the thread state, and interpreters start
 * with `next` and `tstate_head` (Include/internal/pycore_interp.h; compared at load time). */
#define LAYOUT_OF_FRAME_OBJECTS                                                                    \
    .head = CPROF_HEAD_DIRECT, .current = CPROF_CURRENT_OF_HOLDER,                                 \
    .current_symbol = "_PyThreadState_UncheckedGet",                                               \
    .tstate_thread_id = offsetof(PyThreadState, thread_id),                                        \
    .tstate_head = offsetof(PyThreadState, frame), .interp_next = 0,                               \
    .interp_threads_head = sizeof(void *),                                                         \
    .frame_bytes = LAYOUT_WORDS(offsetof(PyFrameObject, f_lasti)) + sizeof(void *),                \
    .frame_code = offsetof(PyFrameObject, f_code),                                                 \
    .frame_previous = offsetof(PyFrameObject, f_back),                                             \
    .frame_instruction = offsetof(PyFrameObject, f_lasti),                                         \
    .code_bytes = LAYOUT_WORDS(sizeof(PyCodeObject)),                                              \
    .code_name = offsetof(PyCodeObject, co_name),                                                  \
    .code_file = offsetof(PyCodeObject, co_filename),                                              \
    .code_first_line = offsetof(PyCodeObject, co_firstlineno)

/* 3.11 and later: code objects. */
#define LAYOUT_OF_ADAPTIVE_CODE                                                                    \
    .instruction = CPROF_INSTRUCTION_POINTER, .line_format = CPROF_LINES_TABLE_311,                \
    .code_bytes = offsetof(PyCodeObject, co_code_adaptive),                                        \
    .code_name = offsetof(PyCodeObject, co_name),                                                  \
    .code_qualified_name = offsetof(PyCodeObject, co_qualname),                                    \
    .code_file = offsetof(PyCodeObject, co_filename),                                              \
    .code_first_line = offsetof(PyCodeObject, co_firstlineno),                                     \
    .code_line_table = offsetof(PyCodeObject, co_linetable),                                       \
    .code_first_traceable = offsetof(PyCodeObject, _co_firsttraceable),                            \
    .code_bytecode = offsetof(PyCodeObject, co_code_adaptive)

/* 3.11 and 3.12: what tells a stored innermost frame from garbage. */
#define LAYOUT_OF_INNERMOST_FRAMES                                                                 \
    .cframe_previous = offsetof(_PyCFrame, previous),                                              \
    .tstate_root_cframe = offsetof(PyThreadState, root_cframe),                                    \
    .tstate_data_top = offsetof(PyThreadState, datastack_top),                                     \
    .code_locals = offsetof(PyCodeObject, co_nlocalsplus),                                         \
    .code_stack = offsetof(PyCodeObject, co_stacksize),                                            \
    .generator_state_before =                                                                      \
        offsetof(PyGenObject, gi_iframe) - offsetof(PyGenObject, gi_frame_state),                  \
    .generator_executing = FRAME_EXECUTING

/* 3.12 and later: interpreters point to their lock. */
#define LAYOUT_OF_OWN_LOCKS                                                                        \
    .gil_place = CPROF_GIL_BY_INTERPRETER, .interp_gil = offsetof(PyInterpreterState, ceval.gil),  \
    .gil_bytes = sizeof(struct _gil_runtime_state)

/* A structure's size in whole words. */
#define LAYOUT_WORDS(bytes) ((bytes) / sizeof(void *) * sizeof(void *))

#endif
