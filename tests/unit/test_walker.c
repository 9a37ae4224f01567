/* test_walker.c - walks of a real interpreter's frames, compared with what it says itself; see
 * plugin/python/walker.h and thread_state.h.
 *
 * sources: tests/unit/python_fixture.c plugin/python/runtime.c plugin/python/walker.c
 * sources: plugin/python/thread_state.c plugin/python/code_object.c plugin/python/text.c
 * sources: plugin/python/peek.c
 * flags: $(embedded_python)
 *
 * SPDX-License-Identifier: MIT
 */
#include "python_fixture.h" /* first: Python.h asks for it */

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../plugin/python/code_object.h"
#include "../../plugin/python/text.h"
#include "../../plugin/python/walker.h"
#include "../../shared/segment/layout.h"
#include "expect.h"

#define DEPTH_MAX 2000u

/* Where a tick could interrupt C code: nowhere near the evaluation loop. */
static uintptr_t a_pc(void)
{
    return (uintptr_t)a_pc;
}

struct walk {
    enum cprof_walk outcome;
    uint32_t depth;
    bool truncated;
    struct cprof_raw_frame frames[DEPTH_MAX];
};

static struct cprof_remembered_state remembered;

static void walk_at(uintptr_t tstate, uintptr_t pc, uint32_t depth_max, struct walk *walk)
{
    walk->outcome = cprof_walk(&python, CPROF_PEEK_DIRECT, tstate, pc, walk->frames, depth_max,
                               &walk->depth, &walk->truncated);
}

static uintptr_t current_state(struct cprof_remembered_state *state)
{
    struct cprof_stack_bounds stack = python_fixture_stack();

    return cprof_current_state(&python, CPROF_PEEK_DIRECT, &stack, state);
}

/* As record/recorder.c does it. */
static bool is_complete(const struct cprof_raw_frame *frame, const struct cprof_code_object *code)
{
    return frame->owner == 1 || frame->byte_offset >= (int32_t)code->first_traceable_byte;
}

static void expect_text(uintptr_t address, PyObject *wanted)
{
    char text[CPROF_NAME_BYTES_MAX];
    uint32_t bytes =
        cprof_text_copy(&python.layout, CPROF_PEEK_DIRECT, address, text, sizeof(text));
    Py_ssize_t wanted_bytes;
    const char *wanted_text = PyUnicode_AsUTF8AndSize(wanted, &wanted_bytes);

    EXPECT(wanted_text && bytes == (uint64_t)wanted_bytes);
    EXPECT(memcmp(text, wanted_text, bytes) == 0);
}

static void expect_bytes(uintptr_t address, uint64_t bytes, PyObject *wanted)
{
    char *wanted_bytes;
    Py_ssize_t length;

    EXPECT(PyBytes_AsStringAndSize(wanted, &wanted_bytes, &length) == 0);
    EXPECT(bytes == (uint64_t)length && address == (uintptr_t)wanted_bytes);
}

static PyObject *attribute(PyCodeObject *code, const char *name)
{
    PyObject *value = PyObject_GetAttrString((PyObject *)code, name);

    EXPECT(value);
    Py_DECREF(value); /* the code object keeps it */
    return value;
}

static void expect_frame(const struct cprof_raw_frame *frame, const struct cprof_code_object *code,
                         PyFrameObject *wanted)
{
    PyCodeObject *wanted_code = PyFrame_GetCode(wanted);

    EXPECT(frame->code == (uintptr_t)wanted_code);
    EXPECT(frame->byte_offset == PyFrame_GetLasti(wanted));
    expect_text(code->name, attribute(wanted_code, "co_name"));
    expect_text(code->qualified_name, attribute(wanted_code, "co_qualname"));
    expect_text(code->file, attribute(wanted_code, "co_filename"));
    expect_bytes(code->line_table, code->line_table_bytes, attribute(wanted_code, "co_linetable"));
    EXPECT(code->first_line == wanted_code->co_firstlineno);
    Py_DECREF(wanted_code);
}

/* Compares with the interpreter's own list, frame by frame; returns the complete ones. */
static uint32_t expect_same_frames(const struct walk *walk)
{
    PyFrameObject *wanted = (PyFrameObject *)Py_XNewRef((PyObject *)PyEval_GetFrame());
    uint32_t complete = 0;

    for (uint32_t i = 0; i < walk->depth; i++) {
        struct cprof_code_object code;
        PyFrameObject *back;

        EXPECT(cprof_code_object_read(&python, CPROF_PEEK_DIRECT, walk->frames[i].code, &code));
        if (!is_complete(&walk->frames[i], &code)) {
            continue;
        }
        EXPECT(wanted);
        expect_frame(&walk->frames[i], &code, wanted);
        complete++;
        back = PyFrame_GetBack(wanted);
        Py_DECREF(wanted);
        wanted = back;
    }
    EXPECT(walk->truncated == (wanted != NULL));
    Py_XDECREF(wanted);
    return complete;
}

/* probe.walk(depth_max): walks here and now; the number of frames. */
static PyObject *probe_walk(PyObject *self, PyObject *argument)
{
    static struct walk walk;
    uint32_t depth_max = (uint32_t)PyLong_AsUnsignedLong(argument);
    uintptr_t state = current_state(&remembered);

    (void)self;
    EXPECT(state == (uintptr_t)PyThreadState_Get() && depth_max <= DEPTH_MAX);
    walk_at(state, a_pc(), depth_max, &walk);
    EXPECT(walk.outcome == CPROF_WALK_DONE);
    return PyLong_FromUnsignedLong(expect_same_frames(&walk));
}

/* probe.detached(): the state is still known and the frames are the same without the GIL. */
static PyObject *probe_detached(PyObject *self, PyObject *unused)
{
    static struct walk walk;
    uintptr_t attached = current_state(&remembered);
    uintptr_t detached, walked;

    (void)self, (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    detached = current_state(&remembered);
    walked = detached;
    walk_at(walked, a_pc(), DEPTH_MAX, &walk);
    Py_END_ALLOW_THREADS;
    EXPECT(attached != 0 && detached == attached && walk.outcome == CPROF_WALK_DONE);
    return PyLong_FromUnsignedLong(expect_same_frames(&walk));
}

/* probe.parked(frame): the names in the chain that begins at the frame object, inner end first.
 * A chain of a stack that runs has frames of the interpreter's own from 3.12 on. */
static PyObject *probe_parked(PyObject *self, PyObject *frame)
{
    static struct walk walk;
    PyObject *names = PyList_New(0);
    enum cprof_walk outcome;

    (void)self;
    EXPECT(names && Py_TYPE(frame) == (PyTypeObject *)python.frame_type);
    outcome = cprof_walk_parked(&python, CPROF_PEEK_DIRECT, (uintptr_t)frame, walk.frames,
                                DEPTH_MAX, &walk.depth, &walk.truncated);
    EXPECT(outcome == CPROF_WALK_DONE || outcome == CPROF_WALK_PARKING);
    EXPECT(!walk.truncated);
    for (uint32_t i = 0; i < walk.depth; i++) {
        struct cprof_code_object code;

        EXPECT(cprof_code_object_read(&python, CPROF_PEEK_DIRECT, walk.frames[i].code, &code));
        if (is_complete(&walk.frames[i], &code)) {
            EXPECT(PyList_Append(names, (PyObject *)code.name) == 0);
        }
    }
    return names;
}

static void *ask_as_stranger(void *state)
{
    struct cprof_remembered_state none = {0};

    *(uintptr_t *)state = current_state(&none);
    return NULL;
}

/* probe.stranger(): what a thread that never ran Python is told while this one holds the GIL. */
static PyObject *probe_stranger(PyObject *self, PyObject *unused)
{
    uintptr_t state = 1;
    pthread_t stranger;

    (void)self, (void)unused;
    EXPECT(pthread_create(&stranger, NULL, ask_as_stranger, &state) == 0);
    EXPECT(pthread_join(stranger, NULL) == 0);
    return PyLong_FromUnsignedLongLong(state);
}

#define STATES_MAX 32

static bool is_listed(enum cprof_peek_way way, uint64_t tid, uintptr_t state)
{
    struct cprof_thread_of_state states[STATES_MAX];
    uint32_t count = cprof_list_states(&python, way, states, STATES_MAX);

    for (uint32_t i = 0; i < count; i++) {
        if (states[i].tid == tid) {
            return states[i].state == state;
        }
    }
    return false;
}

/* probe.thread(): this thread is found by its id, and it finds itself. */
static PyObject *probe_thread(PyObject *self, PyObject *unused)
{
    struct cprof_remembered_state own = {0};
    uint64_t tid = (uint64_t)syscall(SYS_gettid);
    uintptr_t state = (uintptr_t)PyThreadState_Get();

    (void)self, (void)unused;
    EXPECT(python.can_enumerate);
    EXPECT(is_listed(CPROF_PEEK_DIRECT, tid, state) && is_listed(CPROF_PEEK_SYSTEM, tid, state));
    EXPECT(cprof_tid_of_state(&python, CPROF_PEEK_DIRECT, state) == tid);
    EXPECT(cprof_remember_state(&python, CPROF_PEEK_DIRECT, state, &own));
    EXPECT(own.address == state && current_state(&own) == state);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"walk", probe_walk, METH_O, NULL},          {"detached", probe_detached, METH_NOARGS, NULL},
    {"parked", probe_parked, METH_O, NULL},      {"stranger", probe_stranger, METH_NOARGS, NULL},
    {"thread", probe_thread, METH_NOARGS, NULL}, {0},
};

static void the_interpreter_is_found_with_its_version(void)
{
    EXPECT(strncmp(python.version, Py_GetVersion(), strlen(python.version)) == 0);
    EXPECT(strncmp(python.version, cprof_python_built_version(), 4) == 0);
    EXPECT(python.code_type == (void *)&PyCode_Type);
    EXPECT(python.can_enumerate);
}

static void a_walk_sees_calls_as_the_interpreter_does(void)
{
    python_fixture_run("import probe\n"
                       "assert probe.walk(100) == 1\n"
                       "def inner():\n"
                       "    return probe.walk(100)\n"
                       "def outer(n, /, *more, key=lambda: inner()):\n"
                       "    return key()\n"
                       "class Shop:\n"
                       "    def price(self):\n"
                       "        return outer(1, 2, 3)\n"
                       "    @staticmethod\n"
                       "    def cheapest():\n"
                       "        return Shop().price()\n"
                       "    @property\n"
                       "    def total(self):\n"
                       "        return self.cheapest()\n"
                       "assert Shop().total == 7, Shop().total\n");
}

static void a_walk_sees_generators_and_coroutines(void)
{
    python_fixture_run("import probe\n"
                       "def numbers():\n"
                       "    yield probe.walk(100)\n"
                       "    yield probe.walk(100)\n"
                       "def chain():\n"
                       "    yield from numbers()\n"
                       "assert list(chain()) == [3, 3]\n"
                       "assert next(chain()) == 3\n"
                       "async def answer():\n"
                       "    return probe.walk(100)\n"
                       "async def ask():\n"
                       "    return await answer()\n"
                       "try:\n"
                       "    ask().send(None)\n"
                       "except StopIteration as stop:\n"
                       "    assert stop.value == 3\n"
                       "assert set(probe.walk(100) for _ in range(2)) == {2}\n");
}

static void a_walk_sees_class_bodies_and_comprehensions(void)
{
    python_fixture_run("import probe\n"
                       "def make():\n"
                       "    class Outer:\n"
                       "        class Inner:\n"
                       "            depth = probe.walk(100)\n"
                       "    return Outer.Inner.depth\n"
                       "assert make() == 4\n"
                       "lengths = [probe.walk(100) for _ in range(2)]\n"
                       "assert lengths[0] == lengths[1]\n");
}

static void a_walk_sees_exec_and_imports_of_text(void)
{
    python_fixture_run("import probe\n"
                       "names = {'probe': probe}\n"
                       "exec('depth = probe.walk(100)', names)\n"
                       "assert names['depth'] == 2\n"
                       "text = 'def f():\\n  return probe.walk(100)\\ndepth = f()'\n"
                       "exec(compile(text, '/srv/caf\\u00e9.py', 'exec'), names)\n"
                       "assert names['depth'] == 3\n"
                       "assert eval('probe.walk(100)') == 2\n");
}

static void a_walk_sees_python_that_c_calls(void)
{
    python_fixture_run("import probe\n"
                       "seen = []\n"
                       "def key(x):\n"
                       "    seen.append(probe.walk(100))\n"
                       "    return x\n"
                       "sorted([2, 1], key=key)\n"
                       "list(map(key, [1]))\n"
                       "class Odd:\n"
                       "    def __init__(self):\n"
                       "        key(0)\n"
                       "    def __eq__(self, other):\n"
                       "        key(0)\n"
                       "        return True\n"
                       "    def __del__(self):\n"
                       "        key(0)\n"
                       "[Odd()].index(Odd())\n"
                       "assert seen == [2, 2, 2] + [3] * 5, seen\n");
}

static void a_walk_sees_names_in_any_script(void)
{
    python_fixture_run("import probe\n"
                       "def caf\u00e9(): return probe.walk(100)\n"
                       "def \u4e2d\u6587(): return caf\u00e9()\n"
                       "class \U00010330:\n"
                       "    def \U00010331(self): return \u4e2d\u6587()\n"
                       "assert \U00010330().\U00010331() == 4\n"
                       "exec(compile('probe.walk(100)', '\\U0001f40d' * 40, 'exec'))\n");
}

static void a_deep_recursion_is_cut_at_the_root_side(void)
{
    python_fixture_run("import probe\n"
                       "def down(n, depth_max):\n"
                       "    return down(n - 1, depth_max) if n else probe.walk(depth_max)\n"
                       "assert down(400, 2000) == 402\n"
                       "assert down(400, 402) == 402\n"
                       "assert down(400, 401) == 401\n"
                       "assert down(400, 10) == 10\n"
                       "assert down(400, 1) == 1\n");
}

static void a_deep_recursion_through_c_is_seen_whole(void)
{
    python_fixture_run("import probe\n"
                       "def down(n):\n"
                       "    return next(map(down, [n - 1])) if n else probe.walk(2000)\n"
                       "assert down(100) == 102\n");
}

static void a_walk_in_the_middle_of_an_exception_is_the_same(void)
{
    python_fixture_run("import probe\n"
                       "def fail():\n"
                       "    try:\n"
                       "        raise ValueError\n"
                       "    except ValueError:\n"
                       "        return probe.walk(100)\n"
                       "    finally:\n"
                       "        assert probe.walk(100) == 2\n"
                       "assert fail() == 2\n"
                       "class Guard:\n"
                       "    def __enter__(self):\n"
                       "        assert probe.walk(100) == 2\n"
                       "    def __exit__(self, *why):\n"
                       "        assert probe.walk(100) == 2\n"
                       "        return True\n"
                       "with Guard():\n"
                       "    raise ValueError\n");
}

/* The chain of a frame further out, which does not run: as a parked greenlet keeps its own. */
static void a_parked_chain_is_seen_from_its_frame_object(void)
{
    python_fixture_run("import probe, sys\n"
                       "def inner():\n"
                       "    frame = sys._getframe(1)\n"
                       "    names = []\n"
                       "    while frame:\n"
                       "        names.append(frame.f_code.co_name)\n"
                       "        frame = frame.f_back\n"
                       "    assert probe.parked(sys._getframe(1)) == names, names\n"
                       "    return len(names)\n"
                       "def middle():\n"
                       "    return inner()\n"
                       "class Shop:\n"
                       "    def sell(self):\n"
                       "        return [middle() for _ in range(1)][0]\n"
                       "assert Shop().sell() >= 3\n"
                       "assert next(map(lambda shop: shop.sell(), [Shop()])) >= 4\n");
}

static void a_suspended_generators_chain_is_its_own_frame(void)
{
    python_fixture_run("import probe\n"
                       "def numbers():\n"
                       "    yield 1\n"
                       "generator = numbers()\n"
                       "next(generator)\n"
                       "assert probe.parked(generator.gi_frame) == ['numbers']\n");
}

static void what_is_no_parked_chain_is_refused(void)
{
    static struct walk walk;

    EXPECT(cprof_walk_parked(&python, CPROF_PEEK_DIRECT, 8, walk.frames, DEPTH_MAX, &walk.depth,
                             &walk.truncated) == CPROF_WALK_UNREADABLE);
    EXPECT(walk.depth == 0 && !walk.truncated);
}

static void the_state_is_remembered_while_the_lock_is_released(void)
{
    python_fixture_run("import probe\n"
                       "def work():\n"
                       "    return probe.detached()\n"
                       "assert work() == 2 and probe.detached() == 1\n");
}

static void a_thread_that_never_ran_python_gets_no_state(void)
{
    python_fixture_run("import probe\n"
                       "assert probe.stranger() == 0\n");
}

static void each_thread_finds_its_own_state_by_its_id(void)
{
    python_fixture_run("import probe, _thread\n"
                       "done = []\n"
                       "def work():\n"
                       "    try:\n"
                       "        probe.thread()\n"
                       "        done.append(1)\n"
                       "    finally:\n"
                       "        lock.release()\n"
                       "probe.thread()\n"
                       "for _ in range(5):\n"
                       "    lock = _thread.allocate_lock()\n"
                       "    lock.acquire()\n"
                       "    _thread.start_new_thread(work, ())\n"
                       "    lock.acquire()\n"
                       "probe.thread()\n"
                       "assert len(done) == 5\n");
}

static void a_walk_of_what_is_no_state_is_refused(void)
{
    static struct walk walk;
    static uint64_t garbage[64];
    uint8_t *evil = (uint8_t *)garbage;
    uintptr_t frame = UINT64_C(0xdead0000);

    walk_at(8, a_pc(), 10, &walk);
    EXPECT(walk.outcome == CPROF_WALK_UNREADABLE && walk.depth == 0);
    EXPECT(sizeof(garbage) > python.layout.tstate_head + sizeof(uintptr_t));
    memcpy(evil + python.layout.tstate_head, &frame, sizeof(frame));
    walk_at((uintptr_t)garbage, a_pc(), 10, &walk);
    EXPECT(walk.outcome == CPROF_WALK_UNREADABLE && walk.depth == 0);
}

static void a_tick_at_the_entry_of_the_evaluation_loop_is_refused(void)
{
    static struct walk walk;
    uintptr_t state = (uintptr_t)PyThreadState_Get();

    if (python.layout.links_late) {
        EXPECT(python.eval_start != 0);
        walk_at(state, python.eval_start, 10, &walk);
        EXPECT(walk.outcome == CPROF_WALK_ENTRY);
        walk_at(state, python.eval_start + python.layout.entry_window_bytes - 1, 10, &walk);
        EXPECT(walk.outcome == CPROF_WALK_ENTRY);
        walk_at(state, python.eval_start - 1, 10, &walk);
        EXPECT(walk.outcome == CPROF_WALK_DONE);
    }
    walk_at(state, python.eval_start + python.layout.entry_window_bytes, 10, &walk);
    EXPECT(walk.outcome == CPROF_WALK_DONE && walk.depth == 0);
}

int main(void)
{
    cprof_peek_install();
    python_fixture_begin(functions);
    RUN(the_interpreter_is_found_with_its_version);
    RUN(a_walk_sees_calls_as_the_interpreter_does);
    RUN(a_walk_sees_generators_and_coroutines);
    RUN(a_walk_sees_class_bodies_and_comprehensions);
    RUN(a_walk_sees_exec_and_imports_of_text);
    RUN(a_walk_sees_python_that_c_calls);
    RUN(a_walk_sees_names_in_any_script);
    RUN(a_deep_recursion_is_cut_at_the_root_side);
    RUN(a_deep_recursion_through_c_is_seen_whole);
    RUN(a_walk_in_the_middle_of_an_exception_is_the_same);
    RUN(a_parked_chain_is_seen_from_its_frame_object);
    RUN(a_suspended_generators_chain_is_its_own_frame);
    RUN(what_is_no_parked_chain_is_refused);
    RUN(the_state_is_remembered_while_the_lock_is_released);
    RUN(a_thread_that_never_ran_python_gets_no_state);
    RUN(each_thread_finds_its_own_state_by_its_id);
    RUN(a_walk_of_what_is_no_state_is_refused);
    RUN(a_tick_at_the_entry_of_the_evaluation_loop_is_refused);
    return 0;
}
