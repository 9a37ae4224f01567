/* step_c_threads.c - threads of C that enter and leave Python, stopped at each instruction.
 *
 * A thread that calls Python through PyGILState_Ensure and PyGILState_Release, as callbacks of C
 * libraries do, has a new thread state at each call, and none in between: what the handler
 * remembers of it is then freed memory, which may have become anything. Several such threads run
 * at once, beside the main thread, which runs Python of its own all the time and so often holds
 * the GIL at an instant that is looked at.
 *
 * After each instruction of theirs the thread state is looked for as the handler does it, and
 * walked. Outside of Python there must be no frame; inside only those of callback, middle and
 * leaf, in this order; never one of the main thread's. Between two calls each thread allocates
 * the memory of its freed state again and fills it with the words of the main thread's state.
 *
 * SPDX-License-Identifier: MIT
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../plugin/ground/machine.h"
#include "../../plugin/python/code_object.h"
#include "../../plugin/python/runtime.h"
#include "../../plugin/python/thread_state.h"
#include "../../plugin/python/walker.h"
#include "single_step.h"

#define THREADS           3
#define ROUNDS            20 /* calls of Python from each */
#define ROUNDS_SHORT      3  /* unless all are made */
#define CHAIN             3  /* Python functions below each other in a call */
#define DEPTH_MAX         16
#define BLOCKS_MAX        16
#define INSTANTS_EXPECTED 30000 /* a round */
#define REUSED_EXPECTED   (THREADS * rounds / 4)

static const char program[] = "def leaf(x):\n"
                              "    return [y + x for y in range(x)]\n"
                              "def middle(x):\n"
                              "    return len(leaf(x))\n"
                              "def callback():\n"
                              "    return middle(2)\n"
                              "def main_work():\n"
                              "    return sum(i for i in range(50))\n"
                              "def main():\n"
                              "    while not c_threads.finished():\n"
                              "        main_work()\n";

static struct cprof_python python;

static PyObject *callback;           /* the outermost function of the chain */
static uintptr_t chain_codes[CHAIN]; /* root first */

/* A comprehension is a function of its own up to 3.11. */
static uintptr_t comprehension_code;

struct thread {
    pthread_t thread;
    struct cprof_remembered_state remembered;
    bool is_inside; /* between PyGILState_Ensure and PyGILState_Release, both included */
};

static int rounds = ROUNDS_SHORT;
static PyThreadState *main_state;
static struct thread threads[THREADS];
static _Thread_local struct thread *this_thread;
static _Atomic int running;

/* What was seen. */
static _Atomic uint64_t instants, inside_python, without_state, stale, wrong, reused;
static _Atomic uint64_t walks[CPROF_WALK_UNREADABLE + 1];

static void report_wrong(const char *what, uint32_t depth, uintptr_t code)
{
    if (atomic_fetch_add(&wrong, 1) < 5) {
        fprintf(stderr, "wrong: %s; depth %u, code %#llx\n", what, depth, (unsigned long long)code);
    }
}

/* --- the look at each instant ------------------------------------------------------------- */

/* Whether frames[0..depth), leaf first, are the first functions of the chain. */
static void check_chain(const struct cprof_raw_frame *frames, uint32_t depth)
{
    uint32_t expected = 0;

    for (uint32_t i = depth; i-- > 0;) {
        struct cprof_code_object code;

        if (!cprof_code_object_read(&python, CPROF_PEEK_DIRECT, frames[i].code, &code)) {
            report_wrong("a frame has no code object", depth, frames[i].code);
            return;
        }
        if (frames[i].code == comprehension_code && i == 0 && expected == CHAIN) {
            return;
        }
        if (expected == CHAIN || frames[i].code != chain_codes[expected]) {
            report_wrong("a frame of another stack", depth, frames[i].code);
            return;
        }
        expected++;
    }
    atomic_fetch_add(&inside_python, depth > 0);
}

static void visit(const ucontext_t *interrupted)
{
    struct thread *thread = this_thread;
    struct cprof_stack_bounds stack = {
        .low = cprof_machine_stack_pointer(interrupted),
        .high = cprof_machine_thread_pointer(),
    };
    struct cprof_raw_frame frames[DEPTH_MAX];
    enum cprof_walk outcome;
    uintptr_t state;
    uint32_t depth = 0;
    bool truncated;

    atomic_fetch_add(&instants, 1);
    state = cprof_current_state(&python, CPROF_PEEK_DIRECT, &stack, &thread->remembered);
    if (!state) {
        atomic_fetch_add(&without_state, 1);
        return;
    }
    atomic_fetch_add(&stale, !thread->is_inside);
    outcome = cprof_walk(&python, CPROF_PEEK_DIRECT, state, cprof_machine_pc(interrupted), frames,
                         DEPTH_MAX, &depth, &truncated);
    atomic_fetch_add(&walks[outcome], 1);
    if (outcome != CPROF_WALK_DONE) {
        return;
    }
    if (!thread->is_inside && depth > 0) {
        report_wrong("a frame outside of Python", depth, frames[0].code);
        return;
    }
    check_chain(frames, depth);
}

/* --- the threads -------------------------------------------------------------------------- */

/* Where a block overlaps the freed memory: its first byte there, and how many. */
static uintptr_t overlap(uintptr_t block, uintptr_t freed, size_t bytes, size_t *common)
{
    uintptr_t low = block > freed ? block : freed;
    uintptr_t high = (block < freed ? block : freed) + bytes;

    *common = high > low ? high - low : 0;
    return low;
}

/* Allocates the memory at `freed` again, in one block or in parts, as the allocator gives it out,
 * and fills it with `words`. Between parts lie words of the allocator. Cleared first: at no instant
 * does another state's frame stand beside the freed one's id, as it never does in a state that the
 * interpreter makes. */
static void reuse(uintptr_t freed, const unsigned char *words, size_t bytes)
{
    void *blocks[BLOCKS_MAX];
    size_t id = python.layout.tstate_id, common, covered = 0;
    int count = 0;

    while (count < BLOCKS_MAX && covered < bytes) {
        uintptr_t part;

        blocks[count] = malloc(bytes);
        part = overlap((uintptr_t)blocks[count++], freed, bytes, &common);
        explicit_bzero((void *)part, common);
        covered += common;
    }
    for (int i = 0; i < count; i++) {
        uintptr_t part = overlap((uintptr_t)blocks[i], freed, bytes, &common);

        memcpy((void *)part, words + (part - freed), common);
    }
    atomic_fetch_add(&reused, memcmp((void *)(freed + id), words + id, sizeof(uint64_t)) == 0);
    while (count > 0) {
        free(blocks[--count]);
    }
}

static void call_python(struct thread *thread, unsigned char *words, size_t words_bytes)
{
    PyGILState_STATE before;
    PyObject *result;
    PyThreadState *state;
    size_t bytes;

    thread->is_inside = true;
    before = PyGILState_Ensure();
    state = PyGILState_GetThisThreadState();
    bytes = malloc_usable_size(state);
    bytes = bytes < words_bytes ? bytes : words_bytes;
    result = PyObject_CallObject(callback, NULL);
    if (!result) {
        PyErr_Print();
        abort();
    }
    Py_DECREF(result);
    memcpy(words, main_state, bytes);
    PyGILState_Release(before);
    thread->is_inside = false;
    reuse((uintptr_t)state, words, bytes);
}

/* The first call is not stepped: by the second one the thread is known to have run Python, which
 * the profiler finds out from outside. */
static void *run_thread(void *data)
{
    static _Thread_local unsigned char words[16384];
    PyGILState_STATE before = PyGILState_Ensure();

    this_thread = data;
    (void)cprof_remember_state(&python, CPROF_PEEK_DIRECT,
                               (uintptr_t)PyGILState_GetThisThreadState(),
                               &this_thread->remembered);
    PyGILState_Release(before);
    single_step_start();
    for (int i = 0; i < rounds; i++) {
        call_python(this_thread, words, sizeof(words));
    }
    single_step_stop();
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static PyObject *c_threads_finished(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    return PyBool_FromLong(atomic_load(&running) == 0);
}

static PyMethodDef methods[] = {
    {"finished", c_threads_finished, METH_NOARGS, "Whether no thread of C runs any more."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "c_threads", NULL, -1, methods, NULL, NULL, NULL, NULL};

static PyObject *make_module(void)
{
    return PyModule_Create(&module);
}

/* --- the start ---------------------------------------------------------------------------- */

static void fail(const char *what)
{
    if (PyErr_Occurred()) {
        PyErr_Print();
    }
    fprintf(stderr, "step_c_threads: %s\n", what);
    exit(1);
}

static uintptr_t code_of(PyObject *globals, const char *name)
{
    PyObject *code = PyObject_GetAttrString(PyDict_GetItemString(globals, name), "__code__");

    if (!code) {
        fail("a function has no code");
    }
    Py_DECREF(code); /* the function keeps it */
    return (uintptr_t)code;
}

static void find_comprehension(uintptr_t code)
{
    PyObject *constants = PyObject_GetAttrString((PyObject *)code, "co_consts");

    for (Py_ssize_t i = 0; i < PyTuple_Size(constants); i++) {
        PyObject *constant = PyTuple_GetItem(constants, i);

        if (PyCode_Check(constant)) {
            comprehension_code = (uintptr_t)constant;
        }
    }
    Py_DECREF(constants);
}

static PyObject *load_program(void)
{
    PyObject *globals = PyModule_GetDict(PyImport_AddModule("__main__"));
    PyObject *result;

    if (PyRun_SimpleString("import c_threads\n") != 0) {
        fail("no module c_threads");
    }
    result = PyRun_String(program, Py_file_input, globals, globals);
    if (!result) {
        fail("the program does not compile");
    }
    Py_DECREF(result);
    callback = PyDict_GetItemString(globals, "callback");
    chain_codes[0] = code_of(globals, "callback");
    chain_codes[1] = code_of(globals, "middle");
    chain_codes[2] = code_of(globals, "leaf");
    find_comprehension(chain_codes[2]);
    return PyDict_GetItemString(globals, "main");
}

static void run(PyObject *main_function)
{
    PyObject *result;

    atomic_store(&running, THREADS);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i].thread, NULL, run_thread, &threads[i]) != 0) {
            fail("no thread");
        }
    }
    result = PyObject_CallObject(main_function, NULL);
    if (!result) {
        fail("main failed");
    }
    Py_DECREF(result);
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i].thread, NULL);
    }
}

int main(int argument_count, char **arguments)
{
    struct cprof_error error;
    PyObject *main_function;

    if (single_step_all(argument_count, arguments)) {
        rounds = ROUNDS;
    }
    PyImport_AppendInittab("c_threads", make_module);
    Py_Initialize();
#if PY_VERSION_HEX < 0x03070000
    PyEval_InitThreads();
#endif
    if (cprof_python_find(&python, &error) != CPROF_PYTHON_READY) {
        fail(error.text);
    }
    cprof_python_attach(&python);
    cprof_peek_install();
    single_step_setup(visit);
    main_state = PyThreadState_Get();
    main_function = load_program();
    run(main_function);
    printf("CPython %s: %llu instants, %llu with frames, %llu wrong stacks, 0 faults; refused: "
           "entry %llu, starting %llu, unreadable %llu; no thread state %llu; freed state walked "
           "%llu; memory used again %llu; %llu instructions\n",
           python.version, (unsigned long long)instants, (unsigned long long)inside_python,
           (unsigned long long)wrong, (unsigned long long)walks[CPROF_WALK_ENTRY],
           (unsigned long long)walks[CPROF_WALK_STARTING],
           (unsigned long long)walks[CPROF_WALK_UNREADABLE], (unsigned long long)without_state,
           (unsigned long long)stale, (unsigned long long)reused,
           (unsigned long long)single_step_different(1, UINTPTR_MAX));
    if (instants < (uint64_t)rounds * INSTANTS_EXPECTED || reused < (uint64_t)REUSED_EXPECTED ||
        inside_python == 0) {
        fprintf(stderr, "too little was tried to prove anything\n");
        return 1;
    }
    return wrong || walks[CPROF_WALK_UNREADABLE] ? 1 : 0;
}
