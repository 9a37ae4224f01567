/* google_module.c - see google_module.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "google_module.h"

#include <Python.h>

#include "python_calls.h"
#include "start_arguments.h"

/* The release whose parameters these are: what an app may compare. */
#define VERSION_OF_PARAMETERS "4.1.0"

static const struct cprof_python_calls *const python = &cprof_python_calls;
static cprof_start_answer_function *answer;

static PyObject *start(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    struct cprof_start_arguments asked;
    struct cprof_error error;
    PyObject *result = NULL;

    (void)module;
    if (cprof_start_arguments_read(&asked, arguments, keywords)) {
        if (answer(&asked.call, &error)) {
            result = python->none;
            python->hold(result);
        } else {
            (void)python->raise(*python->value_error, "googlecloudprofiler.start(): %s",
                                error.text);
        }
    }
    cprof_start_arguments_release(&asked);
    return result;
}

PyDoc_STRVAR(
    start_documentation,
    "start(service=None, service_version=None, project_id=None, service_account_json_file=None, "
    "verbose=0, disable_cpu_profiling=False, disable_wall_profiling=False, period_ms=10, "
    "discovery_service_url=None)\n--\n\n"
    "Gives uWSGI's plugin cloudprofiler what its options leave open.\n\n"
    "Raises ValueError if a value is not accepted. Starts nothing by itself: the plugin profiles\n"
    "each worker. See docs/coming-from-googlecloudprofiler.md of uwsgi-cloudprofiler.");

PyDoc_STRVAR(documentation,
             "Answers an app's calls of Google's agent by uWSGI's plugin cloudprofiler.");

static PyMethodDef functions[] = {
    {"start", (PyCFunction)(void (*)(void))start, METH_VARARGS | METH_KEYWORDS,
     start_documentation},
    {NULL, NULL, 0, NULL},
};

static int fill(PyObject *module)
{
    return python->add_text(module, "__version__", VERSION_OF_PARAMETERS);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, fill},
#ifdef Py_mod_multiple_interpreters
    /* The module has no state; the host's is guarded against threads without the GIL. */
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,  .m_name = "googlecloudprofiler",
    .m_doc = documentation, .m_methods = functions,
    .m_slots = slots,
};

static PyObject *create(void)
{
    return python->init_definition(&definition);
}

bool cprof_google_module_install(const struct cprof_python *interpreter,
                                 cprof_start_answer_function *function, struct cprof_error *error)
{
    const char *missing;

    if (!cprof_python_calls_find(&missing)) {
        return cprof_fail(error, "CPython %s does not export %s", interpreter->version, missing);
    }
    if (python->is_initialized()) {
        return cprof_fail(error, "the interpreter was started before uWSGI's plugins");
    }
    answer = function;
    if (python->append_inittab(definition.m_name, create) != 0) {
        return cprof_fail(error, "no memory for another built-in module");
    }
    return true;
}
