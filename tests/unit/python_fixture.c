/* python_fixture.c - see python_fixture.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "python_fixture.h"

#include <pthread.h>

#include "expect.h"

struct cprof_python python;

static PyModuleDef probe_module = {PyModuleDef_HEAD_INIT, .m_name = "probe", .m_size = -1};

static PyObject *create_probe(void)
{
    return PyModule_Create(&probe_module);
}

/* The leak check's own switch: the interpreter keeps much until the process ends. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

void python_fixture_begin(PyMethodDef *functions)
{
    struct cprof_error error;
    PyConfig config;

    probe_module.m_methods = functions;
    EXPECT(PyImport_AppendInittab("probe", create_probe) == 0);
    PyConfig_InitIsolatedConfig(&config);
    config.site_import = 0;
    EXPECT(!PyStatus_Exception(Py_InitializeFromConfig(&config)));
    PyConfig_Clear(&config);
    EXPECT(cprof_python_find(&python, &error) == CPROF_PYTHON_READY);
    cprof_python_attach(&python);
}

void python_fixture_run(const char *text)
{
    PyObject *names = PyDict_New();
    PyObject *result = NULL;

    EXPECT(names);
    if (PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) == 0) {
        result = PyRun_String(text, Py_file_input, names, names);
    }
    if (!result) {
        PyErr_Print();
    }
    EXPECT(result);
    Py_DECREF(result);
    Py_DECREF(names);
}

struct cprof_stack_bounds python_fixture_stack(void)
{
    pthread_attr_t attributes;
    void *low;
    size_t bytes;

    EXPECT(pthread_getattr_np(pthread_self(), &attributes) == 0);
    EXPECT(pthread_attr_getstack(&attributes, &low, &bytes) == 0);
    EXPECT(pthread_attr_destroy(&attributes) == 0);
    return (struct cprof_stack_bounds){
        .low = (uintptr_t)__builtin_frame_address(0),
        .high = (uintptr_t)low + bytes,
    };
}
