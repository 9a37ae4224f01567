/* running_context.c - see running_context.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "running_context.h"

#include <dlfcn.h>
#include <string.h>

/* Of the interpreter. */
static struct {
    void *(*copy_current)(void); /* NULL before 3.7 */
    void (*clear_error)(void);
    void (*hold)(void *object);
    void (*let_go)(void *object);
} calls;

static void find_function(void *slot, const char *name)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);

    memcpy(slot, &symbol, sizeof(symbol));
}

static bool has_calls(void)
{
    if (!calls.hold) {
        find_function(&calls.copy_current, "PyContext_CopyCurrent");
        find_function(&calls.clear_error, "PyErr_Clear");
        find_function(&calls.let_go, "Py_DecRef");
        find_function(&calls.hold, "Py_IncRef");
    }
    return calls.hold && calls.let_go && calls.clear_error && calls.copy_current;
}

static uintptr_t context_of(const struct cprof_python *python, const char *state)
{
    uintptr_t context;

    memcpy(&context, state + python->layout.tstate_context, sizeof(context));
    return context;
}

uintptr_t cprof_running_context(const struct cprof_python *python)
{
    const char *state = python->current_thread_state();
    uintptr_t context;
    void *copy;

    if (!state || !python->layout.tstate_context) {
        return (uintptr_t)state;
    }
    context = context_of(python, state);
    if (context || !has_calls()) {
        return context;
    }
    /* Whoever wants a copy of the context makes sure that there is one. */
    copy = calls.copy_current();
    if (!copy) {
        calls.clear_error();
        return 0;
    }
    calls.let_go(copy);
    return context_of(python, state);
}

uintptr_t cprof_running_context_outer(const struct cprof_python *python, uintptr_t address)
{
    uintptr_t outer = 0;

    if (address && python->layout.tstate_context && python->layout.context_previous) {
        /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
        memcpy(&outer, (const char *)address + python->layout.context_previous, sizeof(outer));
    }
    return outer;
}

void cprof_running_context_hold(const struct cprof_python *python, uintptr_t address)
{
    if (python->layout.tstate_context && has_calls()) {
        calls.hold((void *)address); /* NOLINT(performance-no-int-to-ptr) */
    }
}

void cprof_running_context_let_go(const struct cprof_python *python, uintptr_t address)
{
    if (python->layout.tstate_context && has_calls()) {
        calls.let_go((void *)address); /* NOLINT(performance-no-int-to-ptr) */
    }
}
