/* start_arguments.c - see start_arguments.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "start_arguments.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "python_calls.h"

static const struct cprof_python_calls *const python = &cprof_python_calls;

/* The official agent takes higher levels for this one. */
#define VERBOSE_MAX 3

static char parameter_names[CPROF_START_PARAMETERS][32] = {
    "service",
    "service_version",
    "project_id",
    "service_account_json_file",
    "verbose",
    "disable_cpu_profiling",
    "disable_wall_profiling",
    "period_ms",
    "discovery_service_url",
};

static bool refuse_type(enum cprof_start_parameter parameter, PyObject *value, const char *wanted)
{
    (void)python->raise(*python->value_error,
                        "googlecloudprofiler.start(): %s must be %s, not %.100s",
                        parameter_names[parameter], wanted, Py_TYPE(value)->tp_name);
    return false;
}

/* An empty text is no value, as for the official agent. */
static bool read_text(struct cprof_start_call *call, enum cprof_start_parameter parameter,
                      PyObject *value)
{
    Py_ssize_t length;
    const char *text;

    if (!PyUnicode_Check(value)) {
        return refuse_type(parameter, value, "str");
    }
    text = python->utf8(value, &length);
    if (!text) {
        return false;
    }
    if (strlen(text) != (size_t)length) {
        (void)python->raise(*python->value_error,
                            "googlecloudprofiler.start(): %s has a zero byte in it",
                            parameter_names[parameter]);
        return false;
    }
    call->values[parameter] = length > 0 ? text : NULL;
    return true;
}

static bool read_path(struct cprof_start_arguments *to, PyObject *value)
{
    if (!PyUnicode_Check(value)) {
        to->path = python->path_of(value);
        if (!to->path) {
            python->clear_error();
            return refuse_type(CPROF_START_CREDENTIALS, value, "str or os.PathLike");
        }
        value = to->path;
    }
    return read_text(&to->call, CPROF_START_CREDENTIALS, value);
}

static bool read_number(struct cprof_start_call *call, enum cprof_start_parameter parameter,
                        PyObject *value, char text[CPROF_START_NUMBER_BYTES])
{
    PyObject *whole = python->as_index(value);
    long long number;
    int overflow;

    if (!whole) {
        python->clear_error();
        return refuse_type(parameter, value, "int");
    }
    number = python->as_long_long(whole, &overflow);
    python->let_go(whole);
    if (overflow != 0) {
        number = overflow > 0 ? LLONG_MAX : LLONG_MIN;
    }
    if (parameter == CPROF_START_VERBOSE && number > VERBOSE_MAX) {
        number = VERBOSE_MAX;
    }
    (void)snprintf(text, CPROF_START_NUMBER_BYTES, "%lld", number);
    call->values[parameter] = text;
    return true;
}

static bool read_flag(struct cprof_start_call *call, enum cprof_start_parameter parameter,
                      PyObject *value)
{
    int is_true = python->is_true(value);

    call->values[parameter] = is_true > 0 ? "true" : "false";
    return is_true >= 0;
}

static bool read_value(struct cprof_start_arguments *to, enum cprof_start_parameter parameter,
                       PyObject *value)
{
    struct cprof_start_call *call = &to->call;

    if (!value || value == python->none) {
        return true;
    }
    switch (parameter) {
    case CPROF_START_CREDENTIALS:
        return read_path(to, value);
    case CPROF_START_VERBOSE:
        return read_number(call, parameter, value, to->verbose);
    case CPROF_START_PERIOD_MS:
        return read_number(call, parameter, value, to->period_ms);
    case CPROF_START_DISABLE_CPU:
    case CPROF_START_DISABLE_WALL:
        return read_flag(call, parameter, value);
    default:
        return read_text(call, parameter, value);
    }
}

/* What cannot be found out stays unknown: it is for the log alone. */
static void note_place(struct cprof_start_call *call)
{
    PyFrameObject *frame = python->running_frame();
    PyObject *code = frame ? python->attribute((PyObject *)frame, "f_code") : NULL;
    PyObject *file = code ? python->attribute(code, "co_filename") : NULL;
    const char *name = file && PyUnicode_Check(file) ? python->utf8(file, &(Py_ssize_t){0}) : NULL;

    if (name) {
        (void)snprintf(call->place, sizeof(call->place), "%.200s:%d", name,
                       python->line_of_frame(frame));
    } else {
        (void)snprintf(call->place, sizeof(call->place), "an unknown place");
    }
    python->clear_error();
    python->let_go(file);
    python->let_go(code);
}

/* A method of one argument may empty the dictionary that the others came in. */
static void hold_all(struct cprof_start_arguments *to, PyObject *const values[])
{
    for (int i = 0; i < CPROF_START_PARAMETERS; i++) {
        python->hold(values[i]);
        to->held[i] = values[i];
    }
}

bool cprof_start_arguments_read(struct cprof_start_arguments *to, PyObject *arguments,
                                PyObject *keywords)
{
    PyObject *values[CPROF_START_PARAMETERS] = {NULL};
    char *names[CPROF_START_PARAMETERS + 1] = {NULL};

    *to = (struct cprof_start_arguments){.path = NULL};
    for (int i = 0; i < CPROF_START_PARAMETERS; i++) {
        names[i] = parameter_names[i];
    }
    if (!python->parse_arguments(arguments, keywords, "|OOOOOOOOO:start", names, &values[0],
                                 &values[1], &values[2], &values[3], &values[4], &values[5],
                                 &values[6], &values[7], &values[8])) {
        return false;
    }
    hold_all(to, values);
    for (int i = 0; i < CPROF_START_PARAMETERS; i++) {
        if (!read_value(to, (enum cprof_start_parameter)i, values[i])) {
            return false;
        }
    }
    note_place(&to->call);
    return true;
}

void cprof_start_arguments_release(struct cprof_start_arguments *of)
{
    python->let_go(of->path);
    for (int i = 0; i < CPROF_START_PARAMETERS; i++) {
        python->let_go(of->held[i]);
    }
}
