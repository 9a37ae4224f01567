/* decorator.c - see decorator.h.
 *
 * Each call sets a copy of the tags, since calls nest and meet in threads. The flags are those of
 * inspect.h: that module is not imported for their sake.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decorator.h"

#include "python_calls.h"

static const struct cprof_python_calls *const python = &cprof_python_calls;

/* What the wrappers' frames show as their file. */
#define FILE_SHOWN "<cloudprofiler>"

static const char source[] =
    "COROUTINE = 0x80 | 0x100\n"
    "GENERATOR = 0x20 | 0x200\n"
    "\n"
    "def decorate(self, function):\n"
    "    '''The function, which from now on runs with these tags.'''\n"
    "    import functools\n"
    "\n"
    "    if not callable(function):\n"
    "        raise TypeError('tag() decorates functions, not %s' % type(function).__name__)\n"
    "    flags = getattr(getattr(function, '__code__', None), 'co_flags', 0)\n"
    "    if flags & COROUTINE:\n"
    "        async def tagged(*args, **kwargs):\n"
    "            with self._copy():\n"
    "                return await function(*args, **kwargs)\n"
    "    elif flags & GENERATOR:\n"
    "        raise TypeError(\n"
    "            'tag() cannot decorate a generator, which runs piece by piece in whoever asks'\n"
    "            ' for its values: use `with tag(...)` between its yields'\n"
    "        )\n"
    "    else:\n"
    "        def tagged(*args, **kwargs):\n"
    "            with self._copy():\n"
    "                return function(*args, **kwargs)\n"
    "    return functools.wraps(function)(tagged)\n"
    "\n"
    "tag.__call__ = decorate\n";

static bool run(PyObject *names)
{
    PyObject *code = python->compile(source, FILE_SHOWN, Py_file_input, NULL, -1);
    PyObject *result = code ? python->run_code(code, names, names) : NULL;

    python->let_go(code);
    python->let_go(result);
    return result != NULL;
}

bool cprof_decorator_add(PyObject *tag_type)
{
    PyObject *names = python->new_dictionary();
    bool ok = names && python->set_item(names, "tag", tag_type) == 0 &&
              python->set_item(names, "__builtins__", python->builtins()) == 0 && run(names);

    python->let_go(names);
    return ok;
}
