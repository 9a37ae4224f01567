/* processes.c - see processes.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "processes.h"

extern struct uwsgi_server uwsgi;

#define PLUGIN_SLOTS 256 /* one for each modifier1 */

static void (*core_thread_hook)(int core);
static void (*original_init_thread)(int core);

uint32_t cprof_processes_slot_count(void)
{
    return uwsgi.numproc > 0 ? (uint32_t)uwsgi.numproc : 0;
}

bool cprof_processes_own_slot(uint32_t *slot_index)
{
    if (uwsgi.mywid < 1 || uwsgi.mywid > uwsgi.numproc) {
        return false;
    }
    *slot_index = (uint32_t)uwsgi.mywid - 1;
    return true;
}

uint32_t cprof_processes_core_count(void)
{
    return uwsgi.threads > 1 ? (uint32_t)uwsgi.threads : 1;
}

void cprof_processes_core_name(int core, char *to, size_t to_bytes)
{
    (void)snprintf(to, to_bytes, "uWSGIWorker%dCore%d", uwsgi.mywid, core);
}

static void init_thread_and_tell(int core)
{
    original_init_thread(core);
    core_thread_hook(core);
}

bool cprof_processes_hook_core_threads(void (*hook)(int core))
{
    for (int i = 0; i < PLUGIN_SLOTS; i++) {
        struct uwsgi_plugin *plugin = uwsgi.p[i];

        if (plugin && plugin->name && strcmp(plugin->name, "python") == 0 && plugin->init_thread) {
            core_thread_hook = hook;
            original_init_thread = plugin->init_thread;
            plugin->init_thread = init_thread_and_tell;
            return true;
        }
    }
    return false;
}

const char *cprof_processes_uwsgi_version(void)
{
    return UWSGI_VERSION;
}
