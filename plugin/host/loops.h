/* loops.h - servers whose cores share a thread (gevent, asyncio and other loops, async): what takes
 * turns there, and being told which request begins.
 *
 * Callers   `init`, when all plugins are loaded; after that the main thread of a worker that is
 *           about to run its loop.
 * Sources   core/uwsgi.c, core/async.c and plugins/{gevent,greenlet,asyncio}/ of uWSGI 2.0.21 and
 *           2.0.31.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_LOOPS_H
#define CPROF_LOOPS_H

#include <stdint.h>

/* Notes by whom the greenlet plugin lets requests give way, by wrapping its init_apps. Does nothing
 * where there is no such plugin. */
void cprof_loops_note_greenlet_plugin(void);

enum cprof_turns {
    CPROF_TURNS_NONE,      /* one request at a time on each thread */
    CPROF_TURNS_GREENLETS, /* each request has a greenlet: gevent, or the greenlet plugin under
                            * whatever loop */
    CPROF_TURNS_YIELDS,    /* a request gives way when its app yields, and nowhere else */
    CPROF_TURNS_UNKNOWN,   /* another engine moves C stacks: what runs cannot be told */
};

enum cprof_turns cprof_loops_turns(void);

/* What is called around each call of the Python plugin that serves a request of `core`, in the
 * greenlet that serves it. */
struct cprof_request_hooks {
    void (*begin)(int core, uint64_t stamp); /* stamp: cprof_request_stamp */
    void (*end)(void);
};

/* From now on, in this process, by wrapping the plugin's function. */
void cprof_loops_hook_requests(const struct cprof_request_hooks *hooks);

#endif
