/* app_signals.c - see app_signals.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "app_signals.h"

#include <stdbool.h>

extern struct uwsgi_server uwsgi;

#define OPTION "py-call-osafterfork"

static bool needs_help(const char *python_version)
{
    return strncmp(python_version, "3.6.", 4) == 0 || strncmp(python_version, "3.7.", 4) == 0;
}

static bool is_given(const char *option)
{
    for (int i = 0; i < uwsgi.exported_opts_cnt; i++) {
        if (strcmp(uwsgi.exported_opts[i]->key, option) == 0) {
            return true;
        }
    }
    return false;
}

/* With interpreters beside the main one, made before the fork, the child would wait for ever for
 * a lock that nobody holds (PyOS_AfterFork_Child). With lazy-apps there are none yet. */
static bool has_one_interpreter(void)
{
    const struct uwsgi_worker *master = &uwsgi.workers[0];

    for (int i = 1; i < master->apps_cnt; i++) {
        if (master->apps[i].interpreter != master->apps[0].interpreter) {
            return false;
        }
    }
    return true;
}

void cprof_app_signals_enable(const char *python_version)
{
    /* Without a master the worker is no fork: the call would make Python forget its threads. */
    if (!needs_help(python_version) || !uwsgi.master_process || !has_one_interpreter() ||
        is_given(OPTION) || is_given("py-call-uwsgi-fork-hooks")) {
        return;
    }
    for (struct uwsgi_option *option = uwsgi.options; option && option->name; option++) {
        if (strcmp(option->name, OPTION) == 0) {
            option->func(option->name, NULL, option->data);
            return;
        }
    }
}
