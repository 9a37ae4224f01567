/* module.c - see module.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module.h"

#include <Python.h>

#include "../ground/guard.h"
#include "decorator.h"
#include "python_calls.h"
#include "tag_arguments.h"
#include "tag_type.h"

static const struct cprof_python_calls *const python = &cprof_python_calls;

static PyObject *set_tag(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    static char key_name[] = "key", value_name[] = "value";
    static char *names[] = {key_name, value_name, NULL};
    PyObject *key, *value;
    uint32_t tag;

    (void)module;
    if (!python->parse_arguments(arguments, keywords, "OO:set_tag", names, &key, &value) ||
        !cprof_tag_of_arguments(key, value, &tag)) {
        return NULL;
    }
    return python->truth(cprof_scope_tag_request(tag));
}

static PyObject *enabled(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return python->truth(cprof_guard_is_set());
}

PyDoc_STRVAR(set_tag_documentation,
             "set_tag(key, value)\n--\n\n"
             "Sets a tag for the rest of the request that the caller serves.\n\n"
             "Returns False where there is none, or where nothing is profiled: then nothing is "
             "set.");

PyDoc_STRVAR(enabled_documentation,
             "enabled()\n--\n\n"
             "Whether this process is profiled. Not yet where the app is loaded in the master.");

PyDoc_STRVAR(documentation,
             "Tags for the samples that uWSGI's plugin cloudprofiler takes of this process.");

static PyMethodDef functions[] = {
    {"set_tag", (PyCFunction)(void (*)(void))set_tag, METH_VARARGS | METH_KEYWORDS,
     set_tag_documentation},
    {"enabled", enabled, METH_NOARGS, enabled_documentation},
    {NULL, NULL, 0, NULL},
};

static int start(PyObject *module)
{
    PyObject *type = cprof_tag_type_create();

    if (!type) {
        return -1;
    }
    if (!cprof_decorator_add(type) || python->add_object(module, "tag", type) != 0) {
        python->let_go(type);
        return -1;
    }
    return 0; /* the module has the reference now */
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, start},
#ifdef Py_mod_multiple_interpreters
    /* Interpreters share nothing of the module but the tables of tag_sets.h and tag_values.h, in
     * which threads meet without the GIL anyway. */
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,  .m_name = "cloudprofiler", .m_doc = documentation,
    .m_methods = functions, .m_slots = slots,
};

static PyObject *create(void)
{
    return python->init_definition(&definition);
}

bool cprof_module_install(const struct cprof_python *interpreter,
                          const struct cprof_scope_host *host, struct cprof_error *error)
{
    const char *missing;

    if (!cprof_python_calls_find(&missing)) {
        return cprof_fail(error, "CPython %s does not export %s", interpreter->version, missing);
    }
    if (python->is_initialized()) {
        return cprof_fail(error, "the interpreter was started before uWSGI's plugins");
    }
    cprof_scope_setup(interpreter, host);
    if (python->append_inittab(definition.m_name, create) != 0) {
        return cprof_fail(error, "no memory for another built-in module");
    }
    return true;
}
