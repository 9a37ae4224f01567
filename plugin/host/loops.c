/* loops.c - see loops.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "loops.h"

extern struct uwsgi_server uwsgi;

static void (*gevent_hook)(void);
static void (*original_loop)(void);

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
