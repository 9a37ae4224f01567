/* python_calls.h - the functions and exceptions of CPython that our modules use.
 *
 * Finding   by dlsym(RTLD_DEFAULT), as in python/runtime.h: the plugin links no Python symbol.
 * Callers   finding: the master at init. The table is constant afterwards; its functions are
 *           called by threads that have the GIL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PYTHON_CALLS_H
#define CPROF_PYTHON_CALLS_H

#include <Python.h>
#include <frameobject.h>

#include <stdbool.h>

#include "../../shared/base/attributes.h"

/* Their types are those of the headers. */
struct cprof_python_calls {
    __typeof__(&Py_IsInitialized) is_initialized;
    __typeof__(&PyImport_AppendInittab) append_inittab;
    __typeof__(&PyModuleDef_Init) init_definition;
    __typeof__(&PyModule_AddObject) add_object;
    __typeof__(&PyModule_AddStringConstant) add_text;
    __typeof__(&PyType_FromSpec) type_from_spec;
    __typeof__(&Py_IncRef) hold;
    __typeof__(&Py_DecRef) let_go;
    __typeof__(&PyBool_FromLong) truth;
    __typeof__(&PyObject_IsTrue) is_true;
    __typeof__(&PyNumber_Index) as_index;
    __typeof__(&PyLong_AsLongLongAndOverflow) as_long_long;
    __typeof__(&PyOS_FSPath) path_of;
    __typeof__(&PyObject_GetAttrString) attribute;
    __typeof__(&PyEval_GetFrame) running_frame;
    __typeof__(&PyFrame_GetLineNumber) line_of_frame;
    __typeof__(&PyUnicode_AsUTF8AndSize) utf8;
    __typeof__(&PyArg_ParseTupleAndKeywords) parse_arguments;
    __typeof__(&PyTuple_Size) tuple_size; /* the macro asserts types that would be linked */
    __typeof__(&PyDict_New) new_dictionary;
    __typeof__(&PyDict_Next) next_item;
    __typeof__(&PyDict_SetItemString) set_item;
    __typeof__(&PyErr_Format) raise;
    __typeof__(&PyErr_Clear) clear_error;
    __typeof__(&PyEval_GetBuiltins) builtins;
    __typeof__(&PyEval_EvalCode) run_code;
    PyObject *(*compile)(const char *text, const char *file, int start, PyCompilerFlags *flags,
                         int optimize);                    /* Py_CompileStringExFlags */
    PyObject *none;                                        /* None itself */
    PyObject **runtime_error, **type_error, **value_error; /* NULL inside until Python starts */
};

/* Looks all of them up, once. False, and the name of the first that is not there: this is no
 * CPython that we know. */
bool cprof_python_calls_find(const char **missing) CPROF_MUST_USE;

/* The table; empty before it was filled. */
extern struct cprof_python_calls cprof_python_calls;

#endif
