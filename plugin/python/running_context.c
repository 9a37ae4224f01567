/* running_context.c - see running_context.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "running_context.h"

#include <dlfcn.h>
#include <string.h>

#include "peek.h"

/* Of the interpreter; NULL before 3.7. */
static struct {
    bool looked_up;
    void *none;
    void *(*new_variable)(const char *name, void *default_value);
    void *(*set_variable)(void *variable, void *value);
    void (*clear_error)(void);
    void (*hold)(void *object);
    void (*let_go)(void *object);
    void *variable; /* what is set to get a context */
} calls;

static void find_function(void *slot, const char *name)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);

    memcpy(slot, &symbol, sizeof(symbol));
}

static bool has_calls(void)
{
    if (!calls.looked_up) {
        calls.looked_up = true;
        find_function(&calls.none, "_Py_NoneStruct");
        find_function(&calls.new_variable, "PyContextVar_New");
        find_function(&calls.set_variable, "PyContextVar_Set");
        find_function(&calls.clear_error, "PyErr_Clear");
        find_function(&calls.hold, "Py_IncRef");
        find_function(&calls.let_go, "Py_DecRef");
    }
    return calls.none && calls.new_variable && calls.set_variable && calls.clear_error &&
           calls.hold && calls.let_go;
}

bool cprof_running_context_ensure(const struct cprof_python *python)
{
    uintptr_t state = (uintptr_t)python->current_thread_state();
    void *token;

    if (!state || !python->layout.tstate_context) {
        return state != 0;
    }
    if (cprof_peek_word(CPROF_PEEK_SYSTEM, state + python->layout.tstate_context, 0) != 0) {
        return true;
    }
    if (!has_calls()) {
        return false;
    }
    if (!calls.variable) {
        calls.variable = calls.new_variable("cloudprofiler", NULL); /* kept for good */
    }
    token = calls.variable ? calls.set_variable(calls.variable, calls.none) : NULL;
    if (!token) {
        calls.clear_error();
        return false;
    }
    calls.let_go(token);
    return true;
}

static void *object_at(const struct cprof_python *python, uintptr_t address)
{
    uint64_t type = cprof_peek_word(CPROF_PEEK_SYSTEM, address + python->layout.object_type, 0);

    return python->context_type && type == (uintptr_t)python->context_type && has_calls()
               ? (void *)address /* NOLINT(performance-no-int-to-ptr) */
               : NULL;
}

void cprof_running_context_hold(const struct cprof_python *python, uintptr_t address)
{
    void *context = object_at(python, address);

    if (context) {
        calls.hold(context);
    }
}

void cprof_running_context_let_go(const struct cprof_python *python, uintptr_t address)
{
    void *context = object_at(python, address);

    if (context) {
        calls.let_go(context);
    }
}
