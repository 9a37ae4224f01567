/* step_recorder.c - the recorder and the death hook, stopped at each of their instructions.
 *
 * At every instruction of a sample being recorded for the first time, of one that is known, and
 * of a code object's death, the test
 *   - records a nested sample, as a signal on another thread would: of a known stack, now and
 *     then of a new one;
 *   - reads the log with the gateway's reader, as if the process had been killed right there.
 * In a second part a new stack is recorded again and again, and each time the very same stack is
 * recorded as a nested sample at another instruction: at each the first times that it comes by, or,
 * when all rounds are made, at one in seven of all instants.
 *
 * Every code object says in its name, qualified name, file and first line which number it has,
 * and every stack is a known sequence of numbers: whatever is read must agree.
 *
 * SPDX-License-Identifier: MIT
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../gateway/profile/log_reader.h"
#include "../../plugin/ground/guard.h"
#include "../../plugin/ground/machine.h"
#include "../../plugin/python/runtime.h"
#include "../../plugin/record/code_deaths.h"
#include "../../plugin/record/recorder.h"
#include "../../shared/segment/segment.h"
#include "single_step.h"

#define LOG_BYTES        (16 * CPROF_CHUNK_BYTES)
#define EPOCH            1
#define DEPTH            4
#define STACKS           12
#define OUTER_STACKS     8   /* the others are recorded as nested samples */
#define NEW_EVERY        256 /* looks from one nested sample of a new stack to the next */
#define SAME_STRIDE      7   /* instructions from one nested sample of the same stack to the next */
#define LOOKS_SHORT      DEPTH /* a frame's code comes by once for each frame */
#define STEP_ON_EVERY    17    /* the sample behind the breakpoint is stepped to its end */
#define INSTANTS_MAX     65536
#define LONG_TABLE_CODE  3 /* its line table needs several parts */
#define REBIRTHS         32
#define REBIRTHS_SHORT   20 /* unless all rounds are made */
#define REBIRTHS_PER_LOG 4
#define NUMBERS_MAX      4096

/* What code objects of older CPythons call their line table, and whether they have a qualified
 * name. */
#define LINE_TABLE          (PY_VERSION_HEX < 0x030a0000 ? "co_lnotab" : "co_linetable")
#define HAS_QUALIFIED_NAMES (PY_VERSION_HEX >= 0x030b0000)

static struct cprof_segment segment;
static struct cprof_slot_mapping mapping;
static struct cprof_python python;
static struct cprof_recorder recorder;
static struct cprof_error error;

/* codes[n] is the code object of number n while it lives. */
static PyObject *codes[NUMBERS_MAX];
static uint32_t line_table_bytes[NUMBERS_MAX];
static int code_count;

/* stacks[s] lists the numbers of a stack's code objects, leaf first. */
static int stacks[STACKS][DEPTH];
static int known[STACKS + REBIRTHS][DEPTH]; /* all that ever stood there */
static int known_count;

static enum { NEST_OTHERS, NEST_SAME_ONCE, NEST_NONE } nesting;
static int same_stack;
static uint64_t same_instant; /* of single_step_instants() */

/* With NEST_NONE: the instructions of the stretch, in their order. */
static volatile bool is_recording;
static uintptr_t stretch[INSTANTS_MAX];
static uint32_t stretch_length;

static uint32_t epoch = EPOCH;

static uint64_t nested_samples, outer_samples, copies, wrong, counted_as_full;
static uint64_t same_different; /* instructions at which the same stack was recorded */

/* Unless all rounds are made, an instruction is looked at the first few times that it comes by
 * while stacks are first met, then while they are known, then in each log with its deaths. */
static uint32_t looks_max = LOOKS_SHORT;
static int rebirths = REBIRTHS_SHORT;

static void fail(const char *what)
{
    fprintf(stderr, "step_recorder: %s %s\n", what, error.text);
    exit(1);
}

static void report_wrong(const char *what, const char *detail)
{
    if (wrong++ < 10) {
        fprintf(stderr, "wrong after %llu instants: %s %s\n",
                (unsigned long long)single_step_instants(), what, detail);
    }
}

/* --- code objects that say who they are --------------------------------------------------- */

static PyObject *compile_function(int number, int statements)
{
    PyObject *module_code, *constants, *class_code = NULL, *function = NULL;
    PyObject *source = PyUnicode_FromFormat("class C%d:\n  def f%d(self, x):\n", number, number);
    char file[64];

    for (int i = 0; i < statements; i++) {
        PyUnicode_AppendAndDel(&source, PyUnicode_FromFormat("    x = x + %d * x\n", i));
    }
    PyUnicode_AppendAndDel(&source, PyUnicode_FromString("    return x\n"));
    (void)snprintf(file, sizeof(file), "/step/%d.py", number);
    module_code = Py_CompileString(PyUnicode_AsUTF8(source), file, Py_file_input);
    Py_DECREF(source);
    if (!module_code) {
        fail("cannot compile");
    }
    constants = PyObject_GetAttrString(module_code, "co_consts");
    class_code = PyTuple_GetItem(constants, 0);
    Py_DECREF(constants);
    constants = PyObject_GetAttrString(class_code, "co_consts");
    for (Py_ssize_t i = 0; i < PyTuple_Size(constants); i++) {
        if (PyCode_Check(PyTuple_GetItem(constants, i))) {
            function = PyTuple_GetItem(constants, i);
        }
    }
    Py_INCREF(function);
    Py_DECREF(constants);
    Py_DECREF(module_code);
    return function;
}

static int add_code(int statements)
{
    int number = code_count++;
    PyObject *table;

    codes[number] = compile_function(number, statements);
    table = PyObject_GetAttrString(codes[number], LINE_TABLE);
    line_table_bytes[number] = (uint32_t)PyBytes_Size(table);
    Py_DECREF(table);
    return number;
}

/* --- recording ---------------------------------------------------------------------------- */

/* Never a part of its callers: a breakpoint in it serves whoever calls it. */
static __attribute__((noinline)) enum cprof_recorded record(struct cprof_context *context,
                                                            const int *numbers, int offset)
{
    struct cprof_sample sample = {.depth = DEPTH, .weight_ns = 10, .kind = CPROF_STACK_ON_CPU};
    enum cprof_recorded outcome;

    context->way = CPROF_PEEK_DIRECT;
    for (int i = 0; i < DEPTH; i++) {
        context->raw[i] = (struct cprof_raw_frame){
            .code = (uintptr_t)codes[numbers[i]],
            .byte_offset = 40 + 2 * (i == 0 ? offset : 0),
            .owner = 0,
        };
    }
    is_recording = true;
    outcome = cprof_record_sample(&recorder, context, &sample);
    is_recording = false;
    return outcome;
}

static void count_outcome(enum cprof_recorded outcome)
{
    counted_as_full += outcome == CPROF_RECORDED_LOG_FULL;
    if (outcome == CPROF_RECORDED_UNREADABLE) {
        report_wrong("a live code object was not readable", "");
    }
}

static void record_nested(const int *numbers, int offset)
{
    struct cprof_context *context = cprof_context_acquire(&recorder);

    if (!context) {
        fail("no context");
    }
    nested_samples++;
    count_outcome(record(context, numbers, offset));
    cprof_context_release(context);
}

/* --- reading as if killed here ------------------------------------------------------------ */

static bool code_is(const struct cprof_log_view *view, uint32_t ref, int *number)
{
    static struct cprof_log_code code;
    char name[32], qualified_name[64] = "", file[64];

    cprof_log_code(view, ref, &code);
    if (sscanf(code.name, "f%d", number) != 1 || *number < 0 || *number >= code_count) {
        return false;
    }
    (void)snprintf(name, sizeof(name), "f%d", *number);
    if (HAS_QUALIFIED_NAMES) {
        (void)snprintf(qualified_name, sizeof(qualified_name), "C%d.f%d", *number, *number);
    }
    (void)snprintf(file, sizeof(file), "/step/%d.py", *number);
    return strcmp(code.name, name) == 0 && strcmp(code.qualified_name, qualified_name) == 0 &&
           strcmp(code.file, file) == 0 && code.first_line == 2;
}

static bool is_known_sequence(const int *numbers)
{
    for (int s = 0; s < known_count; s++) {
        if (memcmp(known[s], numbers, sizeof(known[s])) == 0) {
            return true;
        }
    }
    return false;
}

/* The reader hands each table out as often as an honest log has it: once. */
static void check_line_table(struct cprof_log_view *view, uint32_t code_ref, int number)
{
    static uint8_t table[CPROF_LINE_TABLE_BYTES_MAX];
    static uint64_t checked_in[LOG_BYTES / 8]; /* number of the copy, by reference */

    if (checked_in[code_ref] == copies + 1) {
        return;
    }
    checked_in[code_ref] = copies + 1;
    if (cprof_log_line_table(view, code_ref, table) != line_table_bytes[number]) {
        report_wrong("a line table has another length", "");
    }
}

static void check_stack(struct cprof_log_view *view, uint32_t ref, bool with_tables)
{
    const struct cprof_stack_record *stack = cprof_log_stack(view, ref);
    int numbers[DEPTH];

    if (stack->depth != DEPTH) {
        report_wrong("a stack has another depth", "");
        return;
    }
    for (int i = 0; i < DEPTH; i++) {
        if (!code_is(view, stack->frames[i].code_ref, &numbers[i])) {
            report_wrong("a code object contradicts itself", "");
            return;
        }
        if (with_tables) {
            check_line_table(view, stack->frames[i].code_ref, numbers[i]);
        }
    }
    if (!is_known_sequence(numbers)) {
        report_wrong("a stack was never recorded", "");
    }
}

static uint64_t read_log(bool with_tables)
{
    struct cprof_log_view view;
    uint64_t counted = 0;

    if (!cprof_log_read(&view, &segment, 0, epoch, &error)) {
        fail("cannot read the log");
    }
    if (view.rejected) {
        report_wrong("the reader rejected a record", "");
    }
    for (size_t i = 0; i < view.stack_count; i++) {
        const struct cprof_stack_record *stack = cprof_log_stack(&view, view.stacks[i]);

        check_stack(&view, view.stacks[i], with_tables);
        counted += atomic_load(&((struct cprof_stack_record *)stack)->count);
    }
    cprof_log_view_reset(&view);
    copies++;
    return counted;
}

static void check_count(uint64_t counted)
{
    uint64_t finished = outer_samples + nested_samples - counted_as_full;

    /* The outer sample may or may not have been counted yet. */
    if (counted != finished && counted != finished + 1) {
        report_wrong("samples were lost or counted twice", "");
    }
}

static void visit(const ucontext_t *interrupted)
{
    static int new_offset;
    static uint64_t looks;
    uint64_t instant = single_step_instants();

    if (nesting == NEST_NONE && is_recording && stretch_length < INSTANTS_MAX) {
        stretch[stretch_length++] = cprof_machine_pc(interrupted);
    }
    if (nesting == NEST_SAME_ONCE && instant == same_instant) {
        record_nested(stacks[same_stack], 0);
    }
    if (nesting != NEST_OTHERS || single_step_times(interrupted) > looks_max) {
        return;
    }
    record_nested(stacks[OUTER_STACKS + instant % (STACKS - OUTER_STACKS)],
                  looks % NEW_EVERY ? 0 : 1 + new_offset++);
    check_count(read_log(looks % NEW_EVERY == 1));
    looks++;
}

/* --- the stretches ------------------------------------------------------------------------ */

static void record_outer_at(int stack, uintptr_t break_at, uint32_t times, bool steps_on)
{
    struct cprof_context *context = cprof_context_acquire(&recorder);
    enum cprof_recorded outcome;

    if (!context) {
        fail("no context");
    }
    if (break_at) {
        single_step_break(break_at, times, steps_on);
    } else {
        single_step_start();
    }
    outcome = record(context, stacks[stack], 0);
    single_step_stop();
    if (break_at && !single_step_break_end()) {
        report_wrong("an instruction was not executed again", "");
    }
    outer_samples++;
    count_outcome(outcome);
    cprof_context_release(context);
    check_count(read_log(true));
}

static void record_outer(int stack)
{
    record_outer_at(stack, 0, 0, true);
}

/* Behind the death hook stands CPython's own deallocator, which is not stepped. */
static destructor dealloc_of_python;

static void dealloc_unstepped(PyObject *code)
{
    single_step_stop();
    dealloc_of_python(code);
}

/* Lets a code object die and makes others until one lies at the same address; a sample of it
 * must show the new one. Returns whether an address came back. */
static bool rebirth(void)
{
    int dying = stacks[0][0];
    PyObject *address = codes[dying];
    int others[STACKS * 64], count = 0;
    bool reborn = false;

    single_step_start();
    Py_DECREF(address); /* ends in dealloc_unstepped */
    codes[dying] = NULL;
    while (count < STACKS * 64 && !reborn) {
        others[count] = add_code(1 + count % 3);
        reborn = codes[others[count]] == address;
        count++;
    }
    stacks[0][0] = others[count - 1];
    memcpy(known[known_count++], stacks[0], sizeof(stacks[0]));
    return reborn;
}

static void make_stacks(void)
{
    for (int s = 0; s < STACKS; s++) {
        for (int i = 0; i < DEPTH; i++) {
            stacks[s][i] = add_code(s == 2 && i == LONG_TABLE_CODE ? 2500 : 3 + s + i);
        }
        memcpy(known[known_count++], stacks[s], sizeof(stacks[s]));
    }
}

static void setup(void)
{
    int fd;

    if (!cprof_segment_create(&fd, &(struct cprof_slot_counts){.workers = 1}, LOG_BYTES, &error) ||
        !cprof_segment_open(&segment, fd, &error) || !cprof_slot_map(&mapping, fd, 0, &error)) {
        fail("no segment:");
    }
    if (cprof_python_find(&python, &error) != CPROF_PYTHON_READY) {
        fail("no interpreter:");
    }
    cprof_python_attach(&python);
    if (!cprof_recorder_create(&recorder, &python, mapping.slot, mapping.log, mapping.log_bytes,
                               DEPTH) ||
        !cprof_guard_set()) {
        fail("no recorder");
    }
    dealloc_of_python = PyCode_Type.tp_dealloc;
    PyCode_Type.tp_dealloc = dealloc_unstepped;
    cprof_code_deaths_watch(&python, &recorder);
    cprof_recorder_begin(&recorder, EPOCH, 1);
    single_step_setup(visit);
}

/* Forgets all that was recorded: the tables and the log are new. */
static void start_over(void)
{
    cprof_recorder_end(&recorder);
    cprof_segment_recycle_slot(&segment, 0, ++epoch);
    cprof_recorder_begin(&recorder, epoch, 1);
    outer_samples = nested_samples = counted_as_full = 0;
}

static void step_with_other_samples(void)
{
    nesting = NEST_OTHERS;
    for (int round = 0; round < 2; round++) { /* first met, then known */
        single_step_forget_times();
        for (int s = 0; s < OUTER_STACKS; s++) {
            record_outer(s);
        }
    }
}

static int step_deaths(uint64_t *nested)
{
    int reborn = 0;

    for (int i = 0; i < rebirths; i++) {
        if (i % REBIRTHS_PER_LOG == 0) {
            *nested += nested_samples;
            start_over();
            single_step_forget_times();
            record_outer(0); /* so that there is something to retire */
        }
        reborn += rebirth();
        record_outer(0);
    }
    *nested += nested_samples;
    return reborn;
}

/* Returns how many instructions were tried. */
static uint64_t step_with_the_same_sample(void)
{
    uint64_t tried = 0, length = 1;

    nesting = NEST_SAME_ONCE;
    same_stack = 1;
    for (uint64_t at = 1; at <= length; at += SAME_STRIDE) {
        uint64_t before = single_step_instants();

        start_over();
        same_instant = before + at;
        record_outer(same_stack);
        length = single_step_instants() - before;
        tried++;
    }
    return tried;
}

/* How often the instruction of the stretch's instant `at` came by up to then. */
static uint32_t times_until(uint32_t at)
{
    uint32_t times = 0;

    for (uint32_t i = 0; i <= at; i++) {
        times += stretch[i] == stretch[at];
    }
    return times;
}

/* The same at each different instruction, by a breakpoint there instead of steps to there. */
static uint64_t break_with_the_same_sample(void)
{
    uint64_t tried = 0;

    start_over();
    nesting = NEST_NONE;
    same_stack = 1;
    record_outer(same_stack);
    nesting = NEST_SAME_ONCE;
    for (uint32_t at = 0; at < stretch_length; at++) {
        uint32_t times = times_until(at);

        if (times <= LOOKS_SHORT) {
            start_over();
            same_instant = single_step_instants() + 1;
            record_outer_at(same_stack, stretch[at], times, tried % STEP_ON_EVERY == 0);
            same_different += times == 1;
            tried++;
        }
    }
    return tried;
}

int main(int argument_count, char **arguments)
{
    bool all = single_step_all(argument_count, arguments);
    uint64_t nested = 0, tried;
    int reborn;

    if (all) {
        looks_max = UINT32_MAX;
        rebirths = REBIRTHS;
    }
    Py_Initialize();
    setup();
    make_stacks();
    step_with_other_samples();
    reborn = step_deaths(&nested);
    tried = break_with_the_same_sample();
    if (all) {
        tried += step_with_the_same_sample();
    }
    printf("%llu instants of %llu instructions; %llu nested samples of other stacks, %llu of the "
           "same one at %llu instructions; %llu copies read; %d addresses used again; %llu "
           "wrong, 0 faults\n",
           (unsigned long long)single_step_instants(),
           (unsigned long long)single_step_different_own(), (unsigned long long)nested,
           (unsigned long long)tried, (unsigned long long)same_different,
           (unsigned long long)copies, reborn, (unsigned long long)wrong);
    if (reborn == 0 || nested < 20000 || tried < 500) {
        fail("too little was tried to prove anything");
    }
    return wrong ? 1 : 0;
}
