/* tag_type.c - see tag_type.h.
 *
 * An object is entered at most once at a time, so that it can keep what it was set over. It has a
 * context only while it is entered, and nobody else's objects: it needs no garbage collection.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tag_type.h"

#include <stdbool.h>

#include "python_calls.h"
#include "scope.h"
#include "tag_arguments.h"

static const struct cprof_python_calls *const python = &cprof_python_calls;

struct tag {
    PyObject object; /* what PyObject_HEAD says */
    bool is_entered;
    struct cprof_tag_list tags;
    struct cprof_scope scope;
};

static PyObject *create(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    struct cprof_tag_list tags;
    struct tag *tag;

    if (python->tuple_size(arguments) > 0) {
        return python->raise(*python->type_error,
                             "tag() takes keyword arguments alone, as in tag(route='/users')");
    }
    if (!cprof_tags_of_keywords(keywords, &tags)) {
        return NULL;
    }
    tag = (struct tag *)type->tp_alloc(type, 0);
    if (tag) {
        tag->tags = tags;
    }
    return (PyObject *)tag;
}

static void leave(struct tag *tag)
{
    if (tag->is_entered) {
        tag->is_entered = false;
        cprof_scope_leave(&tag->tags, &tag->scope);
    }
}

static void destroy(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    leave((struct tag *)self);
    type->tp_free(self);
    python->let_go((PyObject *)type);
}

static PyObject *enter(PyObject *self, PyObject *unused)
{
    struct tag *tag = (struct tag *)self;

    (void)unused;
    if (tag->is_entered) {
        return python->raise(*python->runtime_error,
                             "this tag is set already; another tag(...) may be set inside of it");
    }
    tag->is_entered = true;
    cprof_scope_enter(&tag->tags, &tag->scope);
    python->hold(self);
    return self;
}

static PyObject *leave_and_pass_on(PyObject *self, PyObject *exception)
{
    (void)exception;
    leave((struct tag *)self);
    return python->truth(false);
}

static PyObject *copy(PyObject *self, PyObject *unused)
{
    PyTypeObject *type = Py_TYPE(self);
    struct tag *tag = (struct tag *)type->tp_alloc(type, 0);

    (void)unused;
    if (tag) {
        tag->tags = ((struct tag *)self)->tags;
    }
    return (PyObject *)tag;
}

static PyMethodDef methods[] = {
    {"__enter__", enter, METH_NOARGS, "Sets the tags."},
    {"__exit__", leave_and_pass_on, METH_VARARGS, "Sets what was set before. Exceptions pass."},
    {"_copy", copy, METH_NOARGS, "Another object with the same tags."},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(
    documentation,
    "tag(**tags)\n--\n\n"
    "Tags for the profiler's samples of what runs in a with block, or in a function.\n\n"
    "    with cloudprofiler.tag(route=\"/users/<id>\"):\n"
    "        ...\n\n"
    "    @cloudprofiler.tag(job=\"nightly\")\n"
    "    def rebuild():\n"
    "        ...\n\n"
    "Keys are 1 to 64 of a-z, 0-9, '_', '.' and '-', values str of 1 to 128 bytes. Blocks\n"
    "nest: of a key that is set twice the inner value counts.");

static PyType_Slot slots[] = {
    {Py_tp_new, create},
    {Py_tp_dealloc, destroy},
    {Py_tp_methods, methods},
    {Py_tp_doc, (void *)(uintptr_t)documentation},
    {0, NULL},
};

static PyType_Spec specification = {
    .name = "cloudprofiler.tag",
    .basicsize = sizeof(struct tag),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};

PyObject *cprof_tag_type_create(void)
{
    return python->type_from_spec(&specification);
}
