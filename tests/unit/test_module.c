/* test_module.c - the module cloudprofiler in a real interpreter: what it sets, restores, refuses
 * and holds on to. See plugin/api/module.h; tests/e2e/test_python_api.py sees it in profiles.
 *
 * sources: tests/unit/python_fixture.c tests/unit/child.c plugin/python/runtime.c
 * sources: plugin/python/running_context.c plugin/ground/guard.c plugin/tags/tag_values.c
 * sources: plugin/tags/tag_sets.c plugin/api/module.c plugin/api/scope.c plugin/api/decorator.c
 * sources: plugin/api/python_calls.c plugin/api/tag_arguments.c plugin/api/tag_type.c
 * flags: $(embedded_python)
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/api/module.h"

#include "python_fixture.h"

#include "../../plugin/ground/guard.h"
#include "../../plugin/python/running_context.h"
#include "child.h"
#include "expect.h"

#define CORES 4

/* Below python_fixture.h's `python`, which is found again there: the module keeps its own. */
static struct cprof_python found;
static int core_now = -1;
static uint64_t stamp_now;

static int core(void)
{
    return core_now;
}

static uint64_t stamp(int of_core)
{
    (void)of_core;
    return stamp_now;
}

static const struct cprof_scope_host host = {.core = core, .stamp = stamp};

static void add(PyObject *tags, uint32_t tag)
{
    struct cprof_tag_text text;
    PyObject *key, *value;

    EXPECT(cprof_tag_text(tag, &text));
    key = PyUnicode_FromStringAndSize(text.key, (Py_ssize_t)text.key_bytes);
    value = PyUnicode_FromStringAndSize(text.value, (Py_ssize_t)text.value_bytes);
    EXPECT(key && value && PyDict_SetItem(tags, key, value) == 0);
    Py_DECREF(key);
    Py_DECREF(value);
}

static PyObject *as_dictionary(const struct cprof_tag_list *list)
{
    PyObject *tags = PyDict_New();

    for (uint32_t i = 0; i < list->count; i++) {
        add(tags, list->ids[i]);
    }
    return tags;
}

/* The tags of the running context, as a dictionary. */
static PyObject *block(PyObject *self, PyObject *unused)
{
    struct cprof_tag_list list = {0};
    struct cprof_tag_scope scope;

    (void)self, (void)unused;
    (void)cprof_tag_scope_find(cprof_running_context(&found), &scope);
    cprof_tags_of_chain(scope.chain, &list);
    return as_dictionary(&list);
}

/* Those of the present request. */
static PyObject *of_request(PyObject *self, PyObject *unused)
{
    struct cprof_tag_list list = {0};

    (void)self, (void)unused;
    cprof_tags_of_request(core_now, stamp_now, &list);
    return as_dictionary(&list);
}

/* Whether the running context has an entry, which a block that was left must not leave behind. */
static PyObject *has_entry(PyObject *self, PyObject *unused)
{
    struct cprof_tag_scope scope;

    (void)self, (void)unused;
    return PyBool_FromLong(cprof_tag_scope_find(cprof_running_context(&found), &scope));
}

static PyObject *serve(PyObject *self, PyObject *arguments)
{
    unsigned long long number;

    (void)self;
    if (!PyArg_ParseTuple(arguments, "iK", &core_now, &number)) {
        return NULL;
    }
    stamp_now = number;
    Py_RETURN_NONE;
}

/* The running context is that of a greenlet that serves core's request; its thread serves others,
 * too. */
static PyObject *share(PyObject *self, PyObject *arguments)
{
    struct cprof_tag_scope scope = {.chain = CPROF_TAG_NO_CHAIN};
    unsigned long long number;

    (void)self;
    if (!PyArg_ParseTuple(arguments, "iK", &scope.core, &number)) {
        return NULL;
    }
    core_now = -1;
    scope.stamp = stamp_now = number;
    EXPECT(cprof_tag_scope_put(cprof_running_context(&found), &scope) != CPROF_TAG_SCOPE_FULL);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"share", share, METH_VARARGS, NULL},          {"block", block, METH_NOARGS, NULL},
    {"of_request", of_request, METH_NOARGS, NULL}, {"has_entry", has_entry, METH_NOARGS, NULL},
    {"serve", serve, METH_VARARGS, NULL},          {NULL, NULL, 0, NULL},
};

static const char common[] = "import contextvars, sys, threading, gc, weakref\n"
                             "import probe\n"
                             "from cloudprofiler import tag, set_tag, enabled\n"
                             "def refused(kind, call, text):\n"
                             "    try:\n"
                             "        call()\n"
                             "    except kind as error:\n"
                             "        assert text in str(error), error\n"
                             "    else:\n"
                             "        raise AssertionError(text)\n";

static void run(const char *text)
{
    char whole[8192];
    int length = snprintf(whole, sizeof(whole), "%s%s", common, text);

    EXPECT(length > 0 && (size_t)length < sizeof(whole));
    core_now = -1;
    stamp_now = 0;
    python_fixture_run(whole);
}

static void before_sampling_starts_arguments_are_checked_and_nothing_is_set(void)
{
    run("assert not enabled()\n"
        "with tag(a='1'):\n"
        "    assert probe.block() == {} and not probe.has_entry()\n"
        "assert set_tag('a', '1') is False\n"
        "refused(TypeError, lambda: tag(a=1), 'must be str, not int')\n");
}

static void a_block_sets_and_restores(void)
{
    run("assert enabled()\n"
        "with tag(a='1', b='2') as outer:\n"
        "    assert probe.block() == {'a': '1', 'b': '2'}\n"
        "    with tag(a='3'):\n"
        "        assert probe.block() == {'a': '3', 'b': '2'}\n"
        "    with tag(a='1'):\n"
        "        assert probe.block() == {'a': '1', 'b': '2'}\n"
        "    assert probe.block() == {'a': '1', 'b': '2'}\n"
        "assert type(outer) is tag\n"
        "assert probe.block() == {} and not probe.has_entry()\n");
}

static void exceptions_pass_and_restore(void)
{
    run("try:\n"
        "    with tag(a='1'):\n"
        "        raise KeyError('x')\n"
        "except KeyError:\n"
        "    assert not probe.has_entry()\n"
        "else:\n"
        "    raise AssertionError\n");
}

static void blocks_that_overlap_leave_nothing_behind(void)
{
    run("one, two = tag(a='1', c='1'), tag(b='2')\n"
        "one.__enter__()\n"
        "two.__enter__()\n"
        "one.__exit__(None, None, None)\n"
        "assert probe.block() == {'b': '2'}, probe.block()\n"
        "two.__exit__(None, None, None)\n"
        "assert probe.block() == {} and not probe.has_entry()\n"
        "with tag(a='0'):\n"
        "    one.__enter__()\n"
        "    two.__enter__()\n"
        "    one.__exit__(None, None, None)\n"
        "    assert probe.block() == {'a': '0', 'b': '2'}, probe.block()\n"
        "    two.__exit__(None, None, None)\n"
        "assert not probe.has_entry()\n");
}

static void an_object_is_set_once_at_a_time(void)
{
    run("made = tag(a='1')\n"
        "for _ in range(3):\n"
        "    with made:\n"
        "        refused(RuntimeError, made.__enter__, 'set already')\n"
        "        assert probe.block() == {'a': '1'}\n"
        "made.__exit__(None, None, None)\n" /* not entered: nothing */
        "assert not probe.has_entry()\n");
}

static void an_object_that_goes_away_is_left(void)
{
    run("tag(a='1').__enter__()\n"
        "assert not probe.has_entry()\n");
}

static void each_context_has_its_own(void)
{
    run("def inside():\n"
        "    assert probe.block() == {}\n"
        "    with tag(b='2'):\n"
        "        assert probe.block() == {'b': '2'}\n"
        "    return tag(c='3').__enter__()\n"
        "other = contextvars.copy_context()\n"
        "with tag(a='1'):\n"
        "    left_open = other.run(inside)\n"
        "    assert probe.block() == {'a': '1'}\n"
        "    assert other.run(probe.block) == {'c': '3'}\n"
        "    left_open.__exit__(None, None, None)\n" /* elsewhere than it was entered */
        "    assert other.run(probe.has_entry) is False\n"
        "    assert probe.block() == {'a': '1'}\n"
        "    thread = threading.Thread(target=inside)\n"
        "    thread.start()\n"
        "    thread.join()\n");
}

static void a_context_is_held_while_it_has_tags_and_no_longer(void)
{
    run("def references(context):\n"
        "    return sys.getrefcount(context)\n"
        "context = contextvars.copy_context()\n"
        "before = references(context)\n"
        "for _ in range(100):\n"
        "    context.run(lambda: tag(a='1').__enter__().__exit__(None, None, None))\n"
        "assert references(context) == before\n"
        "opened = context.run(lambda: tag(a='1').__enter__())\n"
        "assert references(context) > before\n"
        "del opened\n"
        "assert references(context) == before\n"
        "objects = sys.getrefcount(tag)\n"
        "for _ in range(100):\n"
        "    with tag(a='1'):\n"
        "        pass\n"
        "assert sys.getrefcount(tag) == objects\n");
}

static void threads_that_get_a_context_for_their_tags_leave_none_behind(void)
{
    run("def count():\n"
        "    gc.collect()\n"
        "    return sum(type(each) is contextvars.Context for each in gc.get_objects())\n"
        "def work():\n"
        "    with tag(a='1'):\n"
        "        assert probe.block() == {'a': '1'}\n"
        "before = count()\n"
        "for _ in range(10):\n"
        "    thread = threading.Thread(target=work)\n"
        "    thread.start()\n"
        "    thread.join()\n"
        "del thread\n" /* from 3.14 on it keeps a context of its own */
        "assert count() == before\n");
}

static void functions_are_decorated_and_others_refused(void)
{
    run("@tag(a='1')\n"
        "def count(number, *, end):\n"
        "    'counts'\n"
        "    assert probe.block() == {'a': '1'}\n"
        "    return number if number == end else count(number + 1, end=end)\n"
        "assert count(0, end=5) == 5 and not probe.has_entry()\n"
        "assert (count.__name__, count.__doc__) == ('count', 'counts')\n"
        "@tag(a='2')\n"
        "async def coroutine():\n"
        "    assert probe.block() == {'a': '2'}\n"
        "    return 7\n"
        "try:\n"
        "    coroutine().send(None)\n"
        "except StopIteration as end:\n"
        "    assert end.value == 7 and not probe.has_entry()\n"
        "def generator():\n"
        "    yield\n"
        "async def async_generator():\n"
        "    yield\n"
        "refused(TypeError, lambda: tag(a='1')(generator), 'cannot decorate a generator')\n"
        "refused(TypeError, lambda: tag(a='1')(async_generator), 'cannot decorate a generator')\n"
        "refused(TypeError, lambda: tag(a='1')(3), 'decorates functions, not int')\n");
}

static void a_tag_of_the_request_ends_with_it(void)
{
    run("assert set_tag('a', '1') is False\n" /* it serves none */
        "probe.serve(2, 11)\n"
        "assert set_tag('a', '1') is True and set_tag(key='b', value='2') is True\n"
        "set_tag('a', '3')\n"
        "assert probe.of_request() == {'a': '3', 'b': '2'}\n"
        "probe.serve(2, 12)\n"
        "assert probe.of_request() == {}\n"
        "probe.serve(2, 0)\n"
        "assert set_tag('a', '1') is False\n");
}

static void a_tag_of_the_request_is_set_from_inside_of_a_context_too(void)
{
    run("def serve():\n"
        "    probe.share(2, 31)\n"
        "    assert set_tag('a', '1') is True\n"
        "    assert contextvars.copy_context().run(set_tag, 'b', '2') is True\n"
        "    probe.share(-1, 31)\n"
        "    assert contextvars.copy_context().run(set_tag, 'c', '3') is False\n"
        "contextvars.copy_context().run(serve)\n"
        "probe.serve(2, 31)\n"
        "assert probe.of_request() == {'a': '1', 'b': '2'}, probe.of_request()\n");
}

static void what_a_request_left_open_is_not_in_the_next_one(void)
{
    run("probe.serve(1, 21)\n"
        "forgotten = tag(a='1').__enter__()\n"
        "with tag(b='2'):\n"
        "    assert probe.block() == {'a': '1', 'b': '2'}\n"
        "probe.serve(1, 22)\n"
        "with tag(b='2'):\n"
        "    assert probe.block() == {'b': '2'}\n"
        "assert not probe.has_entry()\n"
        "forgotten.__exit__(None, None, None)\n"
        "assert not probe.has_entry()\n");
}

/* A generator may keep a block open, and is closed while another request is served. */
static void a_block_that_is_left_in_a_later_request_changes_nothing_there(void)
{
    run("probe.serve(1, 31)\n"
        "first = tag(a='of 31').__enter__()\n"
        "second = tag(a='1').__enter__()\n"
        "probe.serve(1, 32)\n"
        "with tag(a='1'):\n"
        "    second.__exit__(None, None, None)\n"
        "    assert probe.block() == {'a': '1'}, probe.block()\n"
        "    first.__exit__(None, None, None)\n"
        "    assert probe.block() == {'a': '1'}, probe.block()\n"
        "assert not probe.has_entry()\n");
}

static void what_is_not_accepted_is_refused_with_the_limit(void)
{
    run("refused(TypeError, tag, 'needs a tag')\n"
        "refused(TypeError, lambda: tag('a'), 'keyword arguments alone')\n"
        "refused(TypeError, lambda: tag(a=None), \"tag 'a': the value must be str, not "
        "NoneType\")\n"
        "refused(TypeError, lambda: set_tag(1, 'x'), 'must be str, not int')\n"
        "refused(TypeError, lambda: set_tag('a'), 'value')\n"
        "for key in ('', 'A', 'a b', 'a\\0', '\\u00e9', 'x' * 65):\n"
        "    refused(ValueError, lambda: set_tag(key, 'x'), '1 to 64 of a-z')\n"
        "for key in ('worker', 'thread', 'state', 'gil'):\n"
        "    refused(ValueError, lambda: tag(**{key: 'x'}), \"profiler's own\")\n"
        "refused(ValueError, lambda: tag(a=''), '1 to 128 bytes')\n"
        "refused(ValueError, lambda: tag(a='x' * 129), 'has 129 bytes')\n"
        "refused(ValueError, lambda: tag(a='\\u00e9' * 65), 'has 130 bytes')\n"
        "refused(ValueError, lambda: tag(a='\\udc80'), 'surrogates')\n"
        "with tag(**{'x' * 64: 'y' * 128, 'http.route-1_2': '\\u00e9'}):\n"
        "    assert probe.block() == {'x' * 64: 'y' * 128, 'http.route-1_2': '\\u00e9'}\n");
}

static void another_interpreter_has_a_module_of_its_own(void)
{
    PyThreadState *main_state = PyThreadState_Get(), *other = Py_NewInterpreter();

    EXPECT(other);
    EXPECT(PyRun_SimpleString("import cloudprofiler\n"
                              "with cloudprofiler.tag(a='1'):\n"
                              "    @cloudprofiler.tag(a='2')\n"
                              "    def function():\n"
                              "        return 3\n"
                              "    assert function() == 3\n") == 0);
    Py_EndInterpreter(other);
    (void)PyThreadState_Swap(main_state);
    run("with tag(a='1'):\n    pass\n");
}

static void leave_in_child(void *opened)
{
    (void)opened;
    run("assert not enabled()\n"
        "held.__exit__(None, None, None)\n"
        "with tag(b='2'):\n"
        "    assert 'b' not in probe.block()\n");
}

static void in_a_child_of_the_process_tags_do_nothing(void)
{
    run("import builtins\n"
        "builtins.held = tag(a='1').__enter__()\n");
    EXPECT(child_run(leave_in_child, NULL) == CHILD_RETURNED);
    run("assert probe.block() == {'a': '1'}\n"
        "held.__exit__(None, None, None)\n"
        "assert not probe.has_entry()\n");
}

/* Keys are never given back: the last test. */
static void a_key_too_many_is_refused(void)
{
    run("def fill():\n"
        "    for number in range(17):\n"
        "        tag(**{'key%d' % number: 'x'})\n"
        "refused(ValueError, fill, 'at most 16 different keys')\n"
        "with tag(a='1'):\n"
        "    assert probe.block() == {'a': '1'}\n");
}

int main(void)
{
    struct cprof_error error;

    EXPECT(cprof_python_find(&found, &error) == CPROF_PYTHON_READY);
    EXPECT(cprof_module_install(&found, &host, &error));
    EXPECT(cprof_tag_values_create() && cprof_tag_sets_create(CORES));
    python_fixture_begin(functions);
    EXPECT(!cprof_module_install(&found, &host, &error)); /* it runs: too late */
    RUN(before_sampling_starts_arguments_are_checked_and_nothing_is_set);
    EXPECT(cprof_guard_set());
    RUN(a_block_sets_and_restores);
    RUN(exceptions_pass_and_restore);
    RUN(blocks_that_overlap_leave_nothing_behind);
    RUN(an_object_is_set_once_at_a_time);
    RUN(an_object_that_goes_away_is_left);
    RUN(each_context_has_its_own);
    RUN(a_context_is_held_while_it_has_tags_and_no_longer);
    RUN(threads_that_get_a_context_for_their_tags_leave_none_behind);
    RUN(functions_are_decorated_and_others_refused);
    RUN(a_tag_of_the_request_ends_with_it);
    RUN(a_tag_of_the_request_is_set_from_inside_of_a_context_too);
    RUN(what_a_request_left_open_is_not_in_the_next_one);
    RUN(a_block_that_is_left_in_a_later_request_changes_nothing_there);
    RUN(what_is_not_accepted_is_refused_with_the_limit);
    RUN(another_interpreter_has_a_module_of_its_own);
    RUN(in_a_child_of_the_process_tags_do_nothing);
    RUN(a_key_too_many_is_refused);
    return 0;
}
