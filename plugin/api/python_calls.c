/* python_calls.c - see python_calls.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "python_calls.h"

#include <dlfcn.h>
#include <string.h>

struct cprof_python_calls cprof_python_calls;

static const struct {
    const char *name;
    void *slot;
} symbols[] = {
    {"Py_IsInitialized", &cprof_python_calls.is_initialized},
    {"PyImport_AppendInittab", &cprof_python_calls.append_inittab},
    {"PyModuleDef_Init", &cprof_python_calls.init_definition},
    {"PyModule_AddObject", &cprof_python_calls.add_object},
    {"PyModule_AddStringConstant", &cprof_python_calls.add_text},
    {"PyType_FromSpec", &cprof_python_calls.type_from_spec},
    {"Py_IncRef", &cprof_python_calls.hold},
    {"Py_DecRef", &cprof_python_calls.let_go},
    {"PyBool_FromLong", &cprof_python_calls.truth},
    {"PyObject_IsTrue", &cprof_python_calls.is_true},
    {"PyNumber_Index", &cprof_python_calls.as_index},
    {"PyLong_AsLongLongAndOverflow", &cprof_python_calls.as_long_long},
    {"PyOS_FSPath", &cprof_python_calls.path_of},
    {"PyObject_GetAttrString", &cprof_python_calls.attribute},
    {"PyEval_GetFrame", &cprof_python_calls.running_frame},
    {"PyFrame_GetLineNumber", &cprof_python_calls.line_of_frame},
    {"PyUnicode_AsUTF8AndSize", &cprof_python_calls.utf8},
    {"PyArg_ParseTupleAndKeywords", &cprof_python_calls.parse_arguments},
    {"PyTuple_Size", &cprof_python_calls.tuple_size},
    {"PyDict_New", &cprof_python_calls.new_dictionary},
    {"PyDict_Next", &cprof_python_calls.next_item},
    {"PyDict_SetItemString", &cprof_python_calls.set_item},
    {"PyErr_Format", &cprof_python_calls.raise},
    {"PyErr_Clear", &cprof_python_calls.clear_error},
    {"PyEval_GetBuiltins", &cprof_python_calls.builtins},
    {"PyEval_EvalCode", &cprof_python_calls.run_code},
    {"Py_CompileStringExFlags", &cprof_python_calls.compile},
    {"_Py_NoneStruct", &cprof_python_calls.none},
    {"PyExc_RuntimeError", &cprof_python_calls.runtime_error},
    {"PyExc_TypeError", &cprof_python_calls.type_error},
    {"PyExc_ValueError", &cprof_python_calls.value_error},
};

bool cprof_python_calls_find(const char **missing)
{
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        void *symbol = dlsym(RTLD_DEFAULT, symbols[i].name);

        if (!symbol) {
            *missing = symbols[i].name;
            return false;
        }
        memcpy(symbols[i].slot, &symbol, sizeof(symbol));
    }
    return true;
}
