/* step_walker.c - walks the interpreter's frames after every instruction of a Python program.
 *
 * The program (workload.py) does all that changes a stack: calls, generators, coroutines,
 * classes, exceptions, imports, exec, recursion, threads. Two references tell whether a walk is
 * right:
 *   - at a call of step.check() the interpreter is asked for its frames (f_back, f_code, f_lasti),
 *     and the walk must agree in every word;
 *   - from one instant to the next a thread's stack changes by at most one frame pushed or popped.
 *     A stale or uninitialised frame, or a stale link, shows as a greater change: a leaf that is
 *     replaced, a tail that is another. (Behind instants that the walker refused, one of each.)
 * Both are asked of all that the profiler does: the thread state is found as the handler does it,
 * incomplete frames are left out as the recorder does it.
 *
 * At each instant the thread is walked once more as the ticker walks one that waits for a
 * processor: from the state that is known to be its own, without the program counter. What that
 * finds must be what the handler finds; where the handler refuses, it must be one change from what
 * it found last.
 *
 * SPDX-License-Identifier: MIT
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../plugin/ground/machine.h"
#include "../../plugin/python/code_object.h"
#include "../../plugin/python/innermost.h"
#include "../../plugin/python/runtime.h"
#include "../../plugin/python/thread_state.h"
#include "../../plugin/python/walker.h"
#include "single_step.h"

#define DEPTH_MAX         256
#define THREADS_MAX       16
#define INSTANTS_EXPECTED 400000

static struct cprof_python python;

/* The last accepted stack of a thread. */
struct thread {
    pid_t tid;
    uintptr_t stack_high;
    struct cprof_remembered_state remembered;
    uintptr_t codes[DEPTH_MAX];
    uint32_t depth;
    bool known;         /* there is a last stack */
    bool refused_since; /* and instants were refused since */
};

static struct thread threads[THREADS_MAX];
static uint32_t thread_count;

static uint64_t walks[CPROF_WALK_UNREADABLE + 1];
static uint64_t without_state, wrong, checks;

/* The same of walks without the program counter. */
static uint64_t blind_walks, blind_refused, blind_alone, blind_wrong;

static struct thread *this_thread(void)
{
    pid_t tid = (pid_t)syscall(SYS_gettid);

    for (uint32_t i = 0; i < thread_count; i++) {
        if (threads[i].tid == tid) {
            return &threads[i];
        }
    }
    return NULL;
}

static void report_wrong(const char *what, const struct thread *thread, const uintptr_t *codes,
                         uint32_t depth, uintptr_t pc)
{
    if (wrong++ >= 5) {
        return;
    }
    fprintf(stderr, "wrong at instant %llu, pc eval+0x%llx: %s; depth %u, before %u\n",
            (unsigned long long)single_step_instants(),
            (unsigned long long)(pc - python.eval_start), what, depth, thread->depth);
    for (uint32_t i = 0; i < 3; i++) {
        fprintf(stderr, "  now %#llx before %#llx\n",
                (unsigned long long)(i < depth ? codes[i] : 0),
                (unsigned long long)(i < thread->depth ? thread->codes[i] : 0));
    }
}

/* Leaves out what is no frame to a programmer, as the recorder does. */
static bool complete_frames(const struct cprof_raw_frame *frames, uint32_t depth, uintptr_t *codes,
                            uint32_t *complete)
{
    *complete = 0;
    for (uint32_t i = 0; i < depth; i++) {
        struct cprof_code_object code;

        if (!cprof_code_object_read(&python, CPROF_PEEK_DIRECT, frames[i].code, &code)) {
            return false;
        }
        if (frames[i].owner == 1 || frames[i].byte_offset >= (int32_t)code.first_traceable_byte) {
            codes[(*complete)++] = frames[i].code;
        }
    }
    return true;
}

/* Whether `now` is `before` with at most `popped` frames less and then at most `pushed` more. */
static bool follows(const uintptr_t *before, uint32_t before_depth, const uintptr_t *now,
                    uint32_t now_depth, uint32_t popped, uint32_t pushed)
{
    for (uint32_t less = 0; less <= popped && less <= before_depth; less++) {
        uint32_t kept = before_depth - less;

        if (now_depth >= kept && now_depth - kept <= pushed &&
            memcmp(now + (now_depth - kept), before + less, kept * sizeof(*now)) == 0) {
            return true;
        }
    }
    return false;
}

static void compare(struct thread *thread, const uintptr_t *codes, uint32_t depth, uintptr_t pc)
{
    bool one_change = follows(thread->codes, thread->depth, codes, depth, 1, 0) ||
                      follows(thread->codes, thread->depth, codes, depth, 0, 1);
    bool after_refusal =
        thread->refused_since && follows(thread->codes, thread->depth, codes, depth, 1, 1);

    if (thread->known && !one_change && !after_refusal) {
        report_wrong("the stack jumped", thread, codes, depth, pc);
    }
    memcpy(thread->codes, codes, depth * sizeof(*codes));
    thread->depth = depth;
    thread->known = true;
    thread->refused_since = false;
}

static enum cprof_walk walk(struct thread *thread, uintptr_t pc, uintptr_t stack_pointer,
                            struct cprof_raw_frame *frames, uint32_t *depth)
{
    struct cprof_stack_bounds stack = {.low = stack_pointer, .high = thread->stack_high};
    uintptr_t state = cprof_current_state(&python, CPROF_PEEK_DIRECT, &stack, &thread->remembered);
    bool truncated;

    *depth = 0;
    if (!state) {
        without_state++;
        return CPROF_WALK_DONE;
    }
    return cprof_walk(&python, CPROF_PEEK_DIRECT, state, pc, frames, DEPTH_MAX, depth, &truncated);
}

/* False: it is refused. */
static bool walk_blindly(const struct thread *thread, struct cprof_raw_frame *frames,
                         uint32_t *depth)
{
    bool truncated;

    return cprof_innermost_is_stored(&python, CPROF_PEEK_DIRECT, thread->remembered.address) &&
           cprof_walk(&python, CPROF_PEEK_DIRECT, thread->remembered.address, 0, frames, DEPTH_MAX,
                      depth, &truncated) == CPROF_WALK_DONE;
}

/* `is_known`: the handler has found the thread's last stack at this very instant. */
static void visit_blindly(const struct thread *thread, bool is_known, uintptr_t pc)
{
    struct cprof_raw_frame frames[DEPTH_MAX];
    uintptr_t codes[DEPTH_MAX];
    uint32_t depth, complete = 0;
    uint64_t wrong_before = wrong;

    if (!walk_blindly(thread, frames, &depth)) {
        blind_refused += is_known;
        return;
    }
    blind_walks++;
    blind_alone += !is_known;
    if (!complete_frames(frames, depth, codes, &complete)) {
        report_wrong("without the pc a frame has no code object", thread, codes, complete, pc);
    } else if (is_known && !follows(thread->codes, thread->depth, codes, complete, 0, 0)) {
        report_wrong("without the pc the stack is another", thread, codes, complete, pc);
    } else if (!is_known && thread->known &&
               !follows(thread->codes, thread->depth, codes, complete, 1, 0) &&
               !follows(thread->codes, thread->depth, codes, complete, 0, 1)) {
        report_wrong("without the pc the stack jumped", thread, codes, complete, pc);
    }
    blind_wrong += wrong - wrong_before;
}

static void visit(const ucontext_t *interrupted)
{
    struct thread *thread = this_thread();
    uintptr_t pc = cprof_machine_pc(interrupted);
    struct cprof_raw_frame frames[DEPTH_MAX];
    uintptr_t codes[DEPTH_MAX];
    uint32_t depth, complete;
    enum cprof_walk outcome;

    if (!thread) {
        return;
    }
    outcome = walk(thread, pc, cprof_machine_stack_pointer(interrupted), frames, &depth);
    walks[outcome]++;
    if (outcome != CPROF_WALK_DONE) {
        thread->refused_since = true;
        visit_blindly(thread, false, pc);
        return;
    }
    if (!complete_frames(frames, depth, codes, &complete)) {
        report_wrong("a frame has no code object", thread, codes, complete, pc);
        return;
    }
    compare(thread, codes, complete, pc);
    visit_blindly(thread, true, pc);
}

/* --- the module `step` -------------------------------------------------------------------- */

static PyObject *step_on(PyObject *self, PyObject *unused)
{
    pid_t tid = (pid_t)syscall(SYS_gettid);
    struct thread *thread;

    (void)self, (void)unused;
    if (thread_count == THREADS_MAX) {
        return PyErr_Format(PyExc_RuntimeError, "too many threads");
    }
    thread = &threads[thread_count];
    *thread = (struct thread){
        .tid = tid,
        .stack_high =
            tid == getpid() ? (uintptr_t)getauxval(AT_RANDOM) : cprof_machine_thread_pointer(),
    };
    (void)cprof_remember_state(&python, CPROF_PEEK_DIRECT,
                               (uintptr_t)PyGILState_GetThisThreadState(), &thread->remembered);
    thread_count++;
    Py_INCREF(Py_None);
    single_step_start();
    return Py_None;
}

static PyObject *step_off(PyObject *self, PyObject *unused)
{
    struct thread *thread;

    (void)self, (void)unused;
    single_step_stop();
    thread = this_thread();
    if (thread) {
        thread->tid = 0;
    }
    Py_INCREF(Py_None);
    return Py_None;
}

static uintptr_t frame_code(PyObject *frame)
{
    PyObject *code = PyObject_GetAttrString(frame, "f_code");

    Py_DECREF(code); /* the frame keeps it */
    return (uintptr_t)code;
}

static int32_t frame_offset(PyObject *frame)
{
    PyObject *offset = PyObject_GetAttrString(frame, "f_lasti");
    long value = PyLong_AsLong(offset);

    Py_DECREF(offset);
    return (int32_t)value;
}

/* f_lasti is the instruction itself; up to 3.12 a frame keeps the place behind it or, from 3.11,
 * one of its inline caches: not before f_lasti and not past the next ones. */
static bool same_place(int32_t walked, int32_t told)
{
    return walked == told || (walked >= told && walked - told <= 20);
}

/* Compares the walk with the interpreter's own frames, to the last one. */
static PyObject *step_check(PyObject *self, PyObject *unused)
{
    struct thread *thread;
    struct cprof_raw_frame frames[DEPTH_MAX];
    uintptr_t codes[DEPTH_MAX];
    PyObject *frame;
    uint32_t depth = 0, complete = 0, at = 0;
    uintptr_t stack_pointer = (uintptr_t)__builtin_frame_address(0);

    (void)self, (void)unused;
    single_step_stop();
    thread = this_thread();
    checks++;
    if (walk(thread, 0, stack_pointer, frames, &depth) != CPROF_WALK_DONE ||
        !complete_frames(frames, depth, codes, &complete)) {
        report_wrong("no walk at a check", thread, codes, complete, 0);
    }
    frame = (PyObject *)PyEval_GetFrame();
    Py_INCREF(frame);
    while (frame != Py_None) {
        PyObject *back = PyObject_GetAttrString(frame, "f_back");
        uint32_t raw = 0;

        if (at >= complete || codes[at] != frame_code(frame)) {
            report_wrong("the interpreter says otherwise", thread, codes, complete, 0);
            Py_DECREF(frame);
            Py_DECREF(back);
            break;
        }
        for (uint32_t seen = 0; raw < depth && seen <= at; raw++) {
            seen += frames[raw].code == codes[seen];
        }
        if (raw == 0 || !same_place(frames[raw - 1].byte_offset, frame_offset(frame))) {
            report_wrong("the interpreter is elsewhere in the code", thread, codes, complete, 0);
        }
        at++;
        Py_DECREF(frame);
        frame = back;
    }
    if (frame == Py_None) {
        Py_DECREF(frame);
        if (at != complete) {
            report_wrong("the walk has frames more than the interpreter", thread, codes, complete,
                         0);
        }
    }
    Py_INCREF(Py_None);
    single_step_start();
    return Py_None;
}

static bool all;

static PyObject *step_all(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    return PyBool_FromLong(all);
}

static PyMethodDef methods[] = {
    {"on", step_on, METH_NOARGS, "Steps this thread from here on."},
    {"off", step_off, METH_NOARGS, "Stops stepping this thread."},
    {"all", step_all, METH_NOARGS, "Whether to make all rounds, equal ones too."},
    {"check", step_check, METH_NOARGS, "Compares a walk with the interpreter's own frames."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "step", NULL, -1, methods, NULL, NULL, NULL, NULL};

static PyObject *make_module(void)
{
    return PyModule_Create(&module);
}

static void run_workload(const char *path)
{
    FILE *file = fopen(path, "r");
    int failed;

    if (!file) {
        perror(path);
        exit(1);
    }
    failed = PyRun_SimpleFile(file, path);
    (void)fclose(file);
    if (failed) {
        exit(1);
    }
}

int main(int argument_count, char **arguments)
{
    struct cprof_error error;

    if (argument_count < 2) {
        fprintf(stderr, "usage: step_walker workload.py [all]\n");
        return 2;
    }
    all = single_step_all(argument_count, arguments);
    PyImport_AppendInittab("step", make_module);
    Py_Initialize();
#if PY_VERSION_HEX < 0x03070000
    PyEval_InitThreads();
#endif
    if (cprof_python_find(&python, &error) != CPROF_PYTHON_READY) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    cprof_python_attach(&python);
    cprof_peek_install();
    single_step_setup(visit);
    run_workload(arguments[1]);
    printf("CPython %s: %llu instants, %llu checks, %llu wrong stacks, 0 faults; refused: entry "
           "%llu, starting %llu, unreadable %llu; no thread state %llu; %llu instructions\n",
           python.version, (unsigned long long)single_step_instants(), (unsigned long long)checks,
           (unsigned long long)wrong, (unsigned long long)walks[CPROF_WALK_ENTRY],
           (unsigned long long)walks[CPROF_WALK_STARTING],
           (unsigned long long)walks[CPROF_WALK_UNREADABLE], (unsigned long long)without_state,
           (unsigned long long)single_step_different(1, UINTPTR_MAX));
    printf("CPython %s without the program counter: %llu walks, %llu of them where the handler "
           "refuses, %llu wrong stacks; refused where it does not %llu\n",
           python.version, (unsigned long long)blind_walks, (unsigned long long)blind_alone,
           (unsigned long long)blind_wrong, (unsigned long long)blind_refused);
    if (single_step_instants() < INSTANTS_EXPECTED || checks < (all ? 40 : 20)) {
        fprintf(stderr, "too few instants to prove anything\n");
        return 1;
    }
    return wrong || walks[CPROF_WALK_UNREADABLE] ? 1 : 0;
}
