/* loops.c - see loops.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "loops.h"

#include "request.h"

extern struct uwsgi_server uwsgi;

#define PYTHON_MODIFIER 0 /* python_plugin.c */

static void (*original_init_apps)(void);
static void (*greenlet_engine)(struct wsgi_request *); /* its uwsgi.schedule_to_main */
static struct cprof_request_hooks request_hooks;
static int (*original_request)(struct wsgi_request *);

/* Other plugins set the same pointer, and nothing but its change tells whose it is. */
static void init_apps_and_note(void)
{
    void (*before)(struct wsgi_request *) = uwsgi.schedule_to_main;

    original_init_apps();
    if (uwsgi.schedule_to_main != before) {
        greenlet_engine = uwsgi.schedule_to_main;
    }
}

void cprof_loops_note_greenlet_plugin(void)
{
    for (int i = 0; i < uwsgi.gp_cnt; i++) {
        struct uwsgi_plugin *plugin = uwsgi.gp[i];

        if (plugin->name && strcmp(plugin->name, "greenlet") == 0 && plugin->init_apps) {
            original_init_apps = plugin->init_apps;
            plugin->init_apps = init_apps_and_note;
            return;
        }
    }
}

enum cprof_turns cprof_loops_turns(void)
{
    if (uwsgi.async <= 1) {
        return CPROF_TURNS_NONE;
    }
    if (uwsgi.loop && strcmp(uwsgi.loop, "gevent") == 0) {
        return CPROF_TURNS_GREENLETS;
    }
    if (!uwsgi.schedule_to_main) {
        return CPROF_TURNS_YIELDS;
    }
    return uwsgi.schedule_to_main == greenlet_engine ? CPROF_TURNS_GREENLETS : CPROF_TURNS_UNKNOWN;
}

static int tell_and_serve(struct wsgi_request *request)
{
    int core = request->async_id, result;

    request_hooks.begin(core, cprof_request_stamp(core));
    result = original_request(request);
    request_hooks.end();
    return result;
}

void cprof_loops_hook_requests(const struct cprof_request_hooks *hooks)
{
    struct uwsgi_plugin *python = uwsgi.p[PYTHON_MODIFIER];

    if (!python || !python->name || strcmp(python->name, "python") != 0 || !python->request) {
        return;
    }
    request_hooks = *hooks;
    original_request = python->request;
    python->request = tell_and_serve;
}
