/* test_loops.c - see plugin/host/loops.h. uWSGI's tables are this file's own.
 *
 * sources: plugin/host/loops.c plugin/host/request.c plugin/host/slow_exceptions.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#undef exit /* uwsgi.h has one of its own */

#include "../../plugin/host/loops.h"

#include <stdbool.h>

#include "expect.h"

struct uwsgi_server uwsgi;

static bool engine_is_on;
static struct uwsgi_plugin greenlet;
static char told[64];

static void to_main(struct wsgi_request *request)
{
    (void)request;
}

static void to_another_main(struct wsgi_request *request)
{
    (void)request;
}

static void greenlet_init_apps(void)
{
    if (engine_is_on) {
        uwsgi.schedule_to_main = to_main;
    }
}

/* A server with the greenlet plugin, whose apps are loaded. */
static void set_up(bool uses_greenlets, char *loop)
{
    memset(&uwsgi, 0, sizeof(uwsgi));
    engine_is_on = uses_greenlets;
    greenlet = (struct uwsgi_plugin){.name = "greenlet", .init_apps = greenlet_init_apps};
    uwsgi.gp[0] = &greenlet;
    uwsgi.gp_cnt = 1;
    uwsgi.async = 100;
    uwsgi.loop = loop;
    cprof_loops_note_greenlet_plugin();
    uwsgi.gp[0]->init_apps();
}

static void requests_take_turns_by_greenlets_where_gevent_or_the_plugin_switches_them(void)
{
    set_up(false, (char *)"gevent");
    EXPECT(cprof_loops_turns() == CPROF_TURNS_GREENLETS);
    set_up(true, (char *)"asyncio");
    EXPECT(cprof_loops_turns() == CPROF_TURNS_GREENLETS);
    set_up(true, NULL);
    EXPECT(cprof_loops_turns() == CPROF_TURNS_GREENLETS);
}

static void without_an_engine_they_take_turns_when_apps_yield(void)
{
    set_up(false, NULL);
    EXPECT(cprof_loops_turns() == CPROF_TURNS_YIELDS);
    uwsgi.async = 1;
    EXPECT(cprof_loops_turns() == CPROF_TURNS_NONE);
}

static void of_other_engines_nothing_is_known(void)
{
    set_up(false, NULL);
    uwsgi.schedule_to_main = to_another_main;
    EXPECT(cprof_loops_turns() == CPROF_TURNS_UNKNOWN);
    set_up(true, NULL);
    uwsgi.schedule_to_main = to_another_main;
    EXPECT(cprof_loops_turns() == CPROF_TURNS_UNKNOWN);
}

static void begin(int core, uint64_t stamp)
{
    (void)snprintf(told, sizeof(told), "core %d%s", core, stamp ? "" : " without a request");
}

static void end(void)
{
    (void)strncat(told, ", end", sizeof(told) - strlen(told) - 1);
}

static int serve(struct wsgi_request *request)
{
    EXPECT(request->async_id == 1 && strcmp(told, "core 1") == 0);
    return 7;
}

static void hooks_stand_around_each_call_of_the_python_plugin(void)
{
    static struct uwsgi_plugin python = {.name = "python", .request = serve};
    static struct uwsgi_core cores[2];
    static struct uwsgi_worker workers[2];
    const struct cprof_request_hooks hooks = {.begin = begin, .end = end};

    set_up(true, NULL);
    workers[1].cores = cores;
    cores[1].in_request = 1;
    cores[1].req.async_id = 1;
    uwsgi.workers = workers;
    uwsgi.numproc = uwsgi.mywid = 1;
    uwsgi.cores = 2;
    uwsgi.p[0] = &python;
    cprof_loops_hook_requests(&hooks);
    EXPECT(python.request(&cores[1].req) == 7 && strcmp(told, "core 1, end") == 0);
}

int main(void)
{
    RUN(requests_take_turns_by_greenlets_where_gevent_or_the_plugin_switches_them);
    RUN(without_an_engine_they_take_turns_when_apps_yield);
    RUN(of_other_engines_nothing_is_known);
    RUN(hooks_stand_around_each_call_of_the_python_plugin);
    return 0;
}
