/* request.c - see request.h. SIGSAFE FILE (tools/sigsafe).
 *
 * uWSGI writes these fields as plain integers and pointers; each is one aligned word, so that a
 * relaxed load sees an old or a new value.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "request.h"

extern struct uwsgi_server uwsgi;

#define PYTHON_MODIFIER 0 /* python_plugin.c; uwsgi_apps also holds apps of other languages */

static uintptr_t main_state;

void cprof_request_note_main_state(uintptr_t main_thread_state)
{
    main_state = main_thread_state;
}

/* The core while it has a request, else NULL. */
static struct uwsgi_core *busy_core(int core)
{
    struct uwsgi_core *found;

    if (uwsgi.mywid < 1 || uwsgi.mywid > uwsgi.numproc || core < 0 || core >= uwsgi.cores) {
        return NULL;
    }
    found = &uwsgi.workers[uwsgi.mywid].cores[core];
    return __atomic_load_n(&found->in_request, __ATOMIC_RELAXED) ? found : NULL;
}

bool cprof_request_is_running(int core)
{
    return busy_core(core) != NULL;
}

uintptr_t cprof_request_thread_state(int core)
{
    struct uwsgi_core *busy = busy_core(core);
    const struct uwsgi_worker *worker;
    struct uwsgi_app *app;
    void *state;
    int id;

    if (!busy || uwsgi.single_interpreter) {
        return 0;
    }
    worker = &uwsgi.workers[uwsgi.mywid];
    id = __atomic_load_n(&busy->req.app_id, __ATOMIC_RELAXED);
    if (id < 0 || id >= worker->apps_cnt || id >= uwsgi.max_apps) {
        return 0;
    }
    app = &worker->apps[id];
    state = __atomic_load_n(&app->interpreter, __ATOMIC_RELAXED);
    if (app->modifier1 != PYTHON_MODIFIER || (uintptr_t)state == main_state) {
        return 0;
    }
    return (uintptr_t)(uwsgi.threads > 1 ? __atomic_load_n(&busy->ts[id], __ATOMIC_RELAXED)
                                         : state);
}
