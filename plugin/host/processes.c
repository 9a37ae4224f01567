/* processes.c - see processes.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "processes.h"

extern struct uwsgi_server uwsgi;

#define PLUGIN_SLOTS 256 /* one for each modifier1 */

static struct {
    void (*on_process)(void);
    void (*on_core_thread)(int core);
    void (*original_post_fork)(void);
    void (*original_init_thread)(int core);
    pthread_t main_thread; /* of the process that told us so */
} hooks;

static uint32_t count_of(int number)
{
    return number > 0 ? (uint32_t)number : 0;
}

static bool workers_are_ours(void)
{
    return !uwsgi.worker_exec && !uwsgi.worker_exec2;
}

/* How many spoolers come before `end` in the list; NULL: how many there are. A spooler process is
 * one entry, whatever spooler-processes says (core/spooler.c). */
static uint32_t spoolers_before(const struct uwsgi_spooler *end)
{
    uint32_t count = 0;

    for (const struct uwsgi_spooler *each = uwsgi.spoolers; each && each != end;
         each = each->next) {
        count += each->mode != UWSGI_SPOOLER_EXTERNAL;
    }
    return count;
}

struct cprof_slot_counts cprof_processes_slot_counts(void)
{
    return (struct cprof_slot_counts){
        .workers = workers_are_ours() ? count_of(uwsgi.numproc) : 0,
        .mules = uwsgi.master_process ? count_of(uwsgi.mules_cnt) : 0,
        .spoolers = spoolers_before(NULL),
    };
}

bool cprof_processes_detaches_later(void)
{
    return uwsgi.daemonize2 && !uwsgi.master_process;
}

bool cprof_processes_has_detached(void)
{
    return cprof_processes_detaches_later() && uwsgi.mywid == 1;
}

bool cprof_processes_own_slot(uint32_t *slot_index)
{
    struct cprof_slot_counts counts = cprof_processes_slot_counts();

    if (uwsgi.i_am_a_spooler) {
        *slot_index = counts.workers + counts.mules + spoolers_before(uwsgi.i_am_a_spooler);
        return true;
    }
    if (uwsgi.muleid >= 1 && (uint32_t)uwsgi.muleid <= counts.mules) {
        *slot_index = counts.workers + (uint32_t)uwsgi.muleid - 1;
        return true;
    }
    if (uwsgi.mywid >= 1 && (uint32_t)uwsgi.mywid <= counts.workers) {
        *slot_index = (uint32_t)uwsgi.mywid - 1;
        return true;
    }
    return false;
}

uint32_t cprof_processes_core_count(void)
{
    return uwsgi.mywid >= 1 && uwsgi.threads > 1 ? (uint32_t)uwsgi.threads : 1;
}

uint32_t cprof_processes_request_count(void)
{
    return count_of(uwsgi.cores);
}

/* The key of uWSGI's threads is not made before they run: until then anything may stand there. */
static int core_of_request(const void *request)
{
    const struct uwsgi_core *cores = uwsgi.workers[uwsgi.mywid].cores;
    uintptr_t distance = (uintptr_t)request - (uintptr_t)&cores[0].req;

    return distance % sizeof(*cores) == 0 && distance / sizeof(*cores) < (uintptr_t)uwsgi.cores
               ? (int)(distance / sizeof(*cores))
               : -1;
}

int cprof_processes_core_of_caller(void)
{
    if (uwsgi.mywid < 1 || uwsgi.async > 1) {
        return -1;
    }
    if (uwsgi.threads <= 1) {
        return pthread_equal(pthread_self(), hooks.main_thread) ? 0 : -1;
    }
    return core_of_request(pthread_getspecific(uwsgi.tur_key)); /* core/loop.c */
}

void cprof_processes_core_name(int core, char *to, size_t to_bytes)
{
    if (uwsgi.i_am_a_spooler) {
        (void)snprintf(to, to_bytes, "uWSGISpooler%u", spoolers_before(uwsgi.i_am_a_spooler) + 1);
    } else if (uwsgi.muleid >= 1) {
        (void)snprintf(to, to_bytes, "uWSGIMule%d", uwsgi.muleid);
    } else {
        (void)snprintf(to, to_bytes, "uWSGIWorker%dCore%d", uwsgi.mywid, core);
    }
}

static void post_fork_and_tell(void)
{
    if (hooks.original_post_fork) {
        hooks.original_post_fork();
    }
    hooks.main_thread = pthread_self();
    hooks.on_process();
}

static void init_thread_and_tell(int core)
{
    hooks.original_init_thread(core);
    hooks.on_core_thread(core);
}

bool cprof_processes_hook_python(void (*on_process)(void), void (*on_core_thread)(int core))
{
    for (int i = 0; i < PLUGIN_SLOTS; i++) {
        struct uwsgi_plugin *plugin = uwsgi.p[i];

        if (plugin && plugin->name && strcmp(plugin->name, "python") == 0 && plugin->init_thread) {
            hooks.on_process = on_process;
            hooks.on_core_thread = on_core_thread;
            hooks.original_post_fork = plugin->post_fork;
            hooks.original_init_thread = plugin->init_thread;
            plugin->post_fork = post_fork_and_tell;
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
