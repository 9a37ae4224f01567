/* loops.c - see loops.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "loops.h"

#include "request.h"

extern struct uwsgi_server uwsgi;

#define PYTHON_MODIFIER 0 /* python_plugin.c */

static void (*gevent_hook)(void);
static void (*original_loop)(void);
static struct cprof_request_hooks request_hooks;
static int (*original_request)(struct wsgi_request *);

static void tell_and_loop(void)
{
    gevent_hook();
    original_loop();
}

void cprof_loops_hook_gevent(void (*hook)(void))
{
    for (struct uwsgi_loop *loop = uwsgi.loops; loop; loop = loop->next) {
        if (strcmp(loop->name, "gevent") == 0) {
            gevent_hook = hook;
            original_loop = loop->loop;
            loop->loop = tell_and_loop;
            return;
        }
    }
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
