/* runtime.h - the interpreter of this process: whether it is there, ours, and where it keeps
 * what the walker needs.
 *
 * Finding   every Py symbol is looked up with dlsym(RTLD_DEFAULT), none is linked, so that the
 *           plugin loads before the Python plugin or without one.
 * Callers   cprof_python_find in the master at init; cprof_python_attach in each sampling
 *           process at its start. The struct is constant afterwards and read by handlers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PYTHON_RUNTIME_H
#define CPROF_PYTHON_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/error.h"
#include "versions/layout.h"

struct cprof_python {
    struct cprof_python_layout layout;
    void *(*current_thread_state)(void);  /* the layout's current_symbol */
    void *(*gilstate_thread_state)(void); /* PyGILState_GetThisThreadState; never in a handler */
    void *(*interpreter_head)(void);
    void *(*interpreter_threads_head)(void *interpreter);
    void *code_type;                 /* &PyCode_Type */
    uintptr_t code_dealloc_address;  /* of PyCode_Type.tp_dealloc */
    void *frame_type;                /* &PyFrame_Type */
    void *context_type;              /* &PyContext_Type, NULL before 3.7 */
    uint16_t type_new, type_dealloc; /* offsets of these slots in any type */
    uintptr_t eval_start;            /* _PyEval_EvalFrameDefault, 0 where it is not exported */
    uintptr_t text_low, text_high;   /* executable memory of the object that holds the evaluation
                                      * loop; equal: unknown */
    uintptr_t gil_low, gil_high; /* futexes in here are the interpreter's lock; equal: unknown */
    uint16_t pthread_tid_offset; /* of the thread id in what pthread_self() points to; 0: unknown */
    uint16_t pthread_cleanup_offset; /* of the innermost cleanup handler there; 0: unknown */
    bool can_enumerate;              /* the lists of thread states lie where the layout says */
    char version[32];                /* "3.11.2" */
};

/* How the search ended. */
enum cprof_python_found {
    CPROF_PYTHON_READY,
    CPROF_PYTHON_ABSENT,  /* no interpreter in this process */
    CPROF_PYTHON_REFUSED, /* another version or a free-threaded build: *error says it */
};

/* Looks for the interpreter and compares its version with the one built for. The interpreter
 * need not be initialised yet. */
enum cprof_python_found cprof_python_find(struct cprof_python *python, struct cprof_error *error);

/* In the main thread of a process whose interpreter is initialised: checks the layout of the
 * interpreter's lists, and finds where the C library keeps a thread's id, which is how thread
 * states are told apart up to 3.10.
 * Reads memory of the interpreter that lives as long as the process. */
void cprof_python_attach(struct cprof_python *python);

/* "3.11": the version that the plugin was built for. */
const char *cprof_python_built_version(void);

#endif
