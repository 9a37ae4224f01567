/* test_google_module.c - the module googlecloudprofiler in a real interpreter, with the options
 * that its calls fill: what is taken, compared and refused. See plugin/api/google_module.h and
 * plugin/host/start_answer.h; tests/e2e/test_google_calls.py sees it in servers.
 *
 * sources: tests/unit/python_fixture.c tests/unit/child.c
 * sources: plugin/python/runtime.c plugin/api/google_module.c plugin/api/start_arguments.c
 * sources: plugin/api/python_calls.c plugin/host/start_answer.c plugin/host/once.c
 * sources: plugin/host/options.c plugin/host/option_values.c plugin/host/option_checks.c
 * sources: plugin/host/slow_exceptions.c
 * flags: $(embedded_python)
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#undef exit /* uwsgi.h has one of its own */

#include "../../plugin/api/google_module.h"

#include "python_fixture.h"

#include "../../plugin/host/check_only.h"
#include "../../plugin/host/gateway_environment.h"
#include "../../plugin/host/once.h"
#include "../../plugin/host/option_values.h"
#include "../../plugin/host/options.h"
#include "../../plugin/host/server_key.h"
#include "../../plugin/host/start_answer.h"
#include "../../shared/base/log.h"
#include "child.h"
#include "expect.h"

struct uwsgi_server uwsgi;

static struct uwsgi_opt given_period = {.key = (char *)"cloudprofiler-period-ms",
                                        .value = (char *)"10"};
static struct uwsgi_opt *given[] = {&given_period};

/* What the options need of the rest of the host. */
const char *cprof_gateway_environment_value(const char *name)
{
    return strcmp(name, "K_REVISION") == 0 ? "of-the-environment" : NULL;
}

uint64_t cprof_server_key(void)
{
    return 1;
}

void cprof_check_only_set(char *option, char *value, void *data)
{
    (void)option, (void)value, (void)data;
}

static struct cprof_python found;

/* Lines since they were last asked for. */
static char lines[4096];

static void keep(const char *line)
{
    size_t used = strlen(lines);

    (void)snprintf(lines + used, sizeof(lines) - used, "%s", line);
}

static PyObject *option(PyObject *self, PyObject *name)
{
    const struct uwsgi_option *each = cprof_options_find(PyUnicode_AsUTF8(name));
    char text[CPROF_PATH_BYTES];

    (void)self;
    cprof_option_show(each->func, each->data, text, sizeof(text));
    return PyUnicode_FromString(text);
}

static PyObject *logged(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    PyObject *text = PyUnicode_DecodeUTF8(lines, (Py_ssize_t)strlen(lines), "replace");

    lines[0] = '\0';
    return text;
}

static PyMethodDef functions[] = {
    {"option", option, METH_O, NULL},
    {"logged", logged, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static const char common[] =
    "import os, sys, threading\n"
    "import probe\n"
    "from googlecloudprofiler import start\n"
    "OPTIONS = ['service', 'service-version', 'project-id', 'credentials', 'verbose',\n"
    "           'disable-cpu-profiling', 'disable-wall-profiling', 'period-ms', 'api-endpoint']\n"
    "def options():\n"
    "    return [probe.option('cloudprofiler-' + name) for name in OPTIONS]\n"
    "def refused(kind, text, *positional, **keywords):\n"
    "    before = options()\n"
    "    try:\n"
    "        start(*positional, **keywords)\n"
    "    except kind as error:\n"
    "        assert text in str(error), error\n"
    "        assert kind is TypeError or len(str(error)) < 600, error\n"
    "    else:\n"
    "        raise AssertionError(text)\n"
    "    assert options() == before\n"
    "class Wild:\n"
    "    'An object whose methods call start() themselves, and then fail or answer badly.'\n"
    "    def __init__(self, answer):\n"
    "        self.answer = answer\n"
    "    def method(self):\n"
    "        try:\n"
    "            start(service='Inside')\n"
    "        except ValueError:\n"
    "            pass\n"
    "        if self.answer is None:\n"
    "            raise KeyError('wild')\n"
    "        return self.answer\n"
    "    __bool__ = __index__ = __fspath__ = method\n";

static void run(const char *text)
{
    char whole[8192];
    int length = snprintf(whole, sizeof(whole), "%s%s", common, text);

    EXPECT(length > 0 && (size_t)length < sizeof(whole));
    python_fixture_run(whole);
}

static void the_module_says_which_parameters_it_has(void)
{
    run("import googlecloudprofiler\n"
        "assert googlecloudprofiler.__version__ == '4.1.0'\n"
        "assert not hasattr(googlecloudprofiler, '__file__')\n"
        "import inspect\n"
        "assert list(inspect.signature(start).parameters) == [\n"
        "    'service', 'service_version', 'project_id', 'service_account_json_file', 'verbose',\n"
        "    'disable_cpu_profiling', 'disable_wall_profiling', 'period_ms',\n"
        "    'discovery_service_url']\n");
}

static void values_that_no_option_takes_are_refused_and_nothing_is_set(void)
{
    run("for value in (1, 1.5, b'a', [], object(), Wild(None)):\n"
        "    for name in ('service', 'service_version', 'project_id', 'discovery_service_url'):\n"
        "        refused(ValueError, name + ' must be str', **{'service': 'shop', name: value})\n"
        "for value in ('1', 1.5, [], object(), Wild(None), Wild('1')):\n"
        "    for name in ('verbose', 'period_ms'):\n"
        "        refused(ValueError, name + ' must be int', service='shop', **{name: value})\n"
        "for value in (1, 1.5, [], object(), Wild(None), Wild(1), Wild(b'/'), b'/'):\n"
        "    refused(ValueError, 'service_account_json_file must be str', 'shop',\n"
        "            service_account_json_file=value)\n"
        "for name in ('disable_cpu_profiling', 'disable_wall_profiling'):\n"
        "    refused(KeyError, 'wild', 'shop', **{name: Wild(None)})\n"
        "for value in (-1, -10**30):\n"
        "    refused(ValueError, 'verbose: ', 'shop', verbose=value)\n"
        "for value in (0, -1, 1001, 10**30, -10**30):\n"
        "    refused(ValueError, 'period_ms: ', 'shop', period_ms=value)\n"
        "refused(ValueError, 'of a file that uid', 'shop', None, None, '/')\n"
        "refused(ValueError, 'are both disabled', 'shop', None, None, None, 0, 1, 1)\n"
        "refused(ValueError, 'none is given')\n"
        "refused(TypeError, 'zone', zone='moon')\n"
        "refused(TypeError, '10', *[None] * 10)\n"
        "refused(TypeError, '', 'shop', service='shop')\n"
        "assert probe.logged() == ''\n");
}

static void long_and_strange_texts_are_refused(void)
{
    run("long = '%s%n' + 'x' * (1 << 20)\n"
        "for name in ('service', 'service_version', 'project_id', 'service_account_json_file'):\n"
        "    for value in (long, long.upper(), '\\u00e9' * (1 << 19)):\n"
        "        refused(ValueError, name + ': ', **{'service': 'shop', name: value})\n"
        "    refused(ValueError, 'zero byte', **{'service': 'shop', name: 'a\\0b'})\n"
        "    refused(ValueError, 'surrogates', **{'service': 'shop', name: '\\udc80'})\n"
        "refused(TypeError, '', **{long: 1})\n"
        "assert probe.logged() == ''\n");
}

/* The configuration gives period-ms: it holds. */
static void the_first_good_call_gives_what_is_open(void)
{
    run("def call():\n"
        "    assert start('shop', 'v1', 'lab-project', '/dev/../etc/passwd', Wild(7), False, [1],\n"
        "                 20, 'https://127.0.0.1:99/$discovery/rest?version=v2') is None\n"
        "thread = threading.Thread(target=call)\n"
        "thread.start()\n"
        "thread.join()\n"
        "assert options() == ['shop', 'v1', 'lab-project', '/dev/../etc/passwd', '3', 'false',\n"
        "                     'true', '10', 'https://127.0.0.1:99'], options()\n"
        "line = probe.logged()\n"
        "assert 'asks for cloudprofiler-period-ms = 20 (now: 10): ignored' in line, line\n"
        "assert line.count('\\n') == 1\n");
    EXPECT(strstr(cprof_start_answer_taken(), "<string>:"));
    EXPECT(strstr(cprof_start_answer_taken(), "cloudprofiler-credentials = [...]"));
    EXPECT(!strstr(cprof_start_answer_taken(), "passwd"));
    EXPECT(cprof_start_answer_gave_credentials());
}

static void later_calls_change_nothing_and_say_so_once(void)
{
    run("before = options()\n"
        "for _ in range(3):\n"
        "    start('shop', 'v1', None, None, 3, False, True, 20)\n"
        "    start()\n"
        "assert probe.logged() == ''\n"
        "for number in range(3):\n"
        "    start('other', discovery_service_url='ftp://%s' % ('x' * (1 << 20)))\n"
        "first, second, end = probe.logged().split('\\n')\n"
        "assert 'cloudprofiler-service = other (now: shop)' in first, first\n"
        "assert 'discovery_service_url is ignored' in second, second\n"
        "start(service_version='\\n[cloudprofiler] error: forged')\n"
        "assert probe.logged().count('\\n') == 1\n"
        "assert options() == before\n");
}

static void another_interpreter_has_a_module_of_its_own(void)
{
    PyThreadState *main_state = PyThreadState_Get(), *other = Py_NewInterpreter();

    EXPECT(other);
    EXPECT(PyRun_SimpleString("import googlecloudprofiler\n"
                              "googlecloudprofiler.start(service='shop')\n"
                              "try:\n"
                              "    googlecloudprofiler.start(service='Shop')\n"
                              "except ValueError:\n"
                              "    pass\n"
                              "else:\n"
                              "    raise AssertionError\n") == 0);
    Py_EndInterpreter(other);
    (void)PyThreadState_Swap(main_state);
    run("start(service='shop')\n");
}

static void call_in_child(void *unused)
{
    (void)unused;
    run("before = options()\n"
        "start(project_id='another-project', verbose=0)\n"
        "refused(ValueError, 'service: ', service='Shop')\n"
        "assert options() == before\n"
        "assert 'project-id = another-project (now: lab-project)' in probe.logged()\n");
}

/* What a child has reported its parent does not report again. */
static void a_child_s_call_is_compared_too(void)
{
    cprof_start_answer_seal();
    EXPECT(child_run(call_in_child, NULL) == CHILD_RETURNED);
    run("start(project_id='another-project', verbose=0)\n"
        "assert probe.logged() == ''\n");
}

static void nothing_is_left_of_the_arguments(void)
{
    run("def references(value):\n"
        "    return sys.getrefcount(value), sys.getrefcount(None)\n"
        "class Path:\n"
        "    def __fspath__(self):\n"
        "        return text\n"
        "text = '/etc/passwd' + ' '\n"
        "text, path = text.strip(), Path()\n"
        "before = sys.getrefcount(text), sys.getrefcount(path), sys.getrefcount(start)\n"
        "for _ in range(100):\n"
        "    start('shop', text, None, path)\n"
        "    start('shop', text, service_account_json_file=text)\n"
        "after = sys.getrefcount(text), sys.getrefcount(path), sys.getrefcount(start)\n"
        "assert after == before, (before, after)\n");
}

int main(void)
{
    struct cprof_error error;

    uwsgi.exported_opts = given;
    uwsgi.exported_opts_cnt = 1;
    cprof_log_setup(keep, CPROF_LOG_WARNING);
    cprof_once_share();
    EXPECT(cprof_python_find(&found, &error) == CPROF_PYTHON_READY);
    EXPECT(cprof_google_module_install(&found, cprof_start_answer, &error));
    python_fixture_begin(functions);
    EXPECT(!cprof_google_module_install(&found, cprof_start_answer, &error)); /* too late */
    RUN(the_module_says_which_parameters_it_has);
    RUN(values_that_no_option_takes_are_refused_and_nothing_is_set);
    RUN(long_and_strange_texts_are_refused);
    RUN(the_first_good_call_gives_what_is_open);
    RUN(later_calls_change_nothing_and_say_so_once);
    RUN(another_interpreter_has_a_module_of_its_own);
    RUN(a_child_s_call_is_compared_too);
    RUN(nothing_is_left_of_the_arguments);
    return 0;
}
