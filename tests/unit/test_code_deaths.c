/* test_code_deaths.c - a real interpreter whose code objects die while their stacks are
 * recorded; see plugin/record/code_deaths.h, guard.h and recorder.h.
 *
 * sources: plugin/record/known_text.c
 * sources: tests/unit/python_fixture.c tests/unit/fake_log.c tests/unit/child.c
 * sources: plugin/python/runtime.c plugin/python/walker.c plugin/python/thread_state.c
 * sources: plugin/python/code_object.c plugin/python/text.c plugin/python/peek.c
 * sources: plugin/record/recorder.c plugin/record/intern.c plugin/record/code_deaths.c
 * sources: plugin/ground/guard.c
 * sources: plugin/tags/tag_values.c
 * flags: $(embedded_python)
 *
 * SPDX-License-Identifier: MIT
 */
#include "python_fixture.h" /* first: Python.h asks for it */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../gateway/profile/log_reader.h"
#include "../../plugin/ground/guard.h"
#include "../../plugin/record/code_deaths.h"
#include "child.h"
#include "expect.h"
#include "fake_log.h"

#define LOG_BYTES (UINT64_C(8) << 20)
#define LIVES     500u

static struct cprof_segment segment;
static struct cprof_recorder recorder;

/* probe.record(): one sample of the caller, as a tick would take it. */
static PyObject *probe_record(PyObject *self, PyObject *unused)
{
    struct cprof_context *context = cprof_context_acquire(&recorder);
    struct cprof_sample sample = {.kind = CPROF_STACK_ON_CPU, .weight_ns = 1};
    bool truncated;

    (void)self, (void)unused;
    EXPECT(context);
    context->way = CPROF_PEEK_DIRECT;
    EXPECT(cprof_walk(&python, context->way, (uintptr_t)PyThreadState_Get(),
                      (uintptr_t)probe_record, context->raw, recorder.max_depth, &sample.depth,
                      &truncated) == CPROF_WALK_DONE);
    EXPECT(cprof_record_sample(&recorder, context, &sample) == CPROF_RECORDED);
    cprof_context_release(context);
    Py_RETURN_NONE;
}

/* What the ticker has read of a sleeping thread and not recorded yet. */
static struct {
    struct cprof_context *context;
    struct cprof_sample sample;
} read_stack;

/* probe.read(): reads the caller's stack, as the ticker would from outside. */
static PyObject *probe_read(PyObject *self, PyObject *unused)
{
    struct cprof_context *context = cprof_context_acquire(&recorder);
    bool truncated;

    (void)self, (void)unused;
    EXPECT(context && !read_stack.context);
    context->way = CPROF_PEEK_DIRECT;
    read_stack.context = context;
    read_stack.sample =
        (struct cprof_sample){.kind = CPROF_STACK_OFF_CPU, .state = CPROF_STATE_SLEEP};
    cprof_record_expect(&recorder, context);
    EXPECT(cprof_walk(&python, context->way, (uintptr_t)PyThreadState_Get(), (uintptr_t)probe_read,
                      context->raw, recorder.max_depth, &read_stack.sample.depth,
                      &truncated) == CPROF_WALK_DONE);
    Py_RETURN_NONE;
}

/* probe.find(): records it; whether that was possible. */
static PyObject *probe_find(PyObject *self, PyObject *unused)
{
    uint32_t ref;
    enum cprof_recorded outcome =
        cprof_record_find(&recorder, read_stack.context, &read_stack.sample, &ref);

    (void)self, (void)unused;
    cprof_context_release(read_stack.context);
    read_stack.context = NULL;
    EXPECT((outcome == CPROF_RECORDED) == (ref != CPROF_NO_REF));
    EXPECT(outcome != CPROF_RECORDED_LOG_FULL);
    if (outcome == CPROF_RECORDED) {
        EXPECT(cprof_record_add(&recorder, ref, 1, 1) == 1);
    }
    return PyBool_FromLong(outcome == CPROF_RECORDED);
}

static PyMethodDef functions[] = {
    {"record", probe_record, METH_NOARGS, NULL},
    {"read", probe_read, METH_NOARGS, NULL},
    {"find", probe_find, METH_NOARGS, NULL},
    {0},
};

/* Which lives were counted how often, by the innermost frame's name. */
static void count_lives(uint64_t counts[LIVES])
{
    struct cprof_log_view view;
    struct cprof_error error;

    EXPECT(cprof_log_read(&view, &segment, 0, 1, &error) && view.rejected == 0);
    memset(counts, 0, LIVES * sizeof(counts[0]));
    for (size_t i = 0; i < view.stack_count; i++) {
        const struct cprof_stack_record *stack = cprof_log_stack(&view, view.stacks[i]);
        struct cprof_log_code code;
        unsigned life;

        cprof_log_code(&view, stack->frames[0].code_ref, &code);
        if (sscanf(code.name, "life_%u", &life) == 1 && life < LIVES) {
            counts[life] += atomic_load(&stack->count);
        }
    }
    cprof_log_view_reset(&view);
}

/* Each function is dead before the next one is made, mostly at the same address. */
static void each_dead_function_keeps_its_own_name(void)
{
    static uint64_t counts[LIVES];

    python_fixture_run("import probe\n"
                       "for life in range(500):\n"
                       "    names = {'probe': probe}\n"
                       "    exec(f'def life_{life}(): probe.record()', names)\n"
                       "    for _ in range(life % 3 + 1):\n"
                       "        names[f'life_{life}']()\n"
                       "    names.clear()\n");
    count_lives(counts);
    for (uint32_t life = 0; life < LIVES; life++) {
        EXPECT(counts[life] == life % 3 + 1);
    }
    EXPECT(atomic_load(&recorder.generation) >= LIVES); /* they did die */
}

/* Even lives end between the reading and the finding, odd ones after it. */
static void a_function_that_dies_before_it_is_recorded_is_not_recorded(void)
{
    static uint64_t before[LIVES], after[LIVES];

    count_lives(before);
    python_fixture_run("import probe\n"
                       "for life in range(500):\n"
                       "    names = {'probe': probe}\n"
                       "    exec(f'def life_{life}(): probe.read()', names)\n"
                       "    names[f'life_{life}']()\n"
                       "    if life % 2:\n"
                       "        assert probe.find(), life\n"
                       "        names[f'life_{life}']()\n"
                       "        assert probe.find(), life\n"
                       "        names.clear()\n"
                       "    else:\n"
                       "        names.clear()\n"
                       "        assert not probe.find(), life\n");
    count_lives(after);
    for (uint32_t life = 0; life < LIVES; life++) {
        EXPECT(after[life] - before[life] == (life % 2 ? 2 : 0));
    }
}

static void watching_twice_is_watching_once(void)
{
    cprof_code_deaths_watch(&python, &recorder);
    python_fixture_run("exec('pass')\n"); /* would call itself for ever */
}

static void let_a_code_object_die(void *generation)
{
    python_fixture_run("import probe\n"
                       "exec('probe')\n");
    if (cprof_guard_is_set() || atomic_load(&recorder.generation) != *(uint32_t *)generation) {
        _exit(1);
    }
}

static void a_child_of_the_process_is_not_watched(void)
{
    uint32_t generation = atomic_load(&recorder.generation);

    EXPECT(cprof_guard_is_set());
    EXPECT(child_run(let_a_code_object_die, &generation) == CHILD_RETURNED);
    EXPECT(cprof_guard_is_set());
}

static void clear_and_look(void *unused)
{
    (void)unused;
    if (!cprof_guard_set() || !cprof_guard_is_set()) {
        _exit(1);
    }
    cprof_guard_clear();
    if (cprof_guard_is_set()) {
        _exit(1);
    }
}

static void a_child_may_become_a_sampling_process_of_its_own(void)
{
    EXPECT(child_run(clear_and_look, NULL) == CHILD_RETURNED);
    EXPECT(cprof_guard_is_set());
}

int main(void)
{
    EXPECT(!cprof_guard_is_set());
    cprof_guard_clear();
    cprof_peek_install();
    python_fixture_begin(functions);
    fake_segment_open(&segment, 1, LOG_BYTES);
    EXPECT(cprof_recorder_create(&recorder, &python, cprof_segment_slot(&segment, 0),
                                 segment.base + cprof_segment_log_offset(0, LOG_BYTES), LOG_BYTES,
                                 64));
    cprof_recorder_begin(&recorder, 1, 1);
    EXPECT(cprof_guard_set());
    cprof_code_deaths_watch(&python, &recorder);

    RUN(each_dead_function_keeps_its_own_name);
    RUN(a_function_that_dies_before_it_is_recorded_is_not_recorded);
    RUN(watching_twice_is_watching_once);
    RUN(a_child_of_the_process_is_not_watched);
    RUN(a_child_may_become_a_sampling_process_of_its_own);
    cprof_guard_clear();
    return 0;
}
