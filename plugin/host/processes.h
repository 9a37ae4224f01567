/* processes.h - who is this process and thread, in uWSGI's terms.
 *
 * Slots     uWSGI's process places: workers, then mules, then spoolers, each numbered from 1 in
 *           uWSGI's own order. A place outlives the process that sits in it.
 * Callers   the master counts and hooks; each forked process asks for itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PROCESSES_H
#define CPROF_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/segment/segment.h"

/* The places that can be profiled, whether a process sits there now or not (cheaper). Left out:
 * workers that become another program (worker-exec), mules where no master forks them, spoolers
 * that another instance runs (spooler-external). Final from postinit_apps on. */
struct cprof_slot_counts cprof_processes_slot_counts(void);

/* Whether this process will fork once more and go on as the child, without a master to fork the
 * gateway afterwards (daemonize2). What it forks before that dies with it. In postinit_apps. */
bool cprof_processes_detaches_later(void);

/* Whether the calling process is the one that such a process has become. From post_fork on. */
bool cprof_processes_has_detached(void);

/* The slot of the calling process. False: it is none that is profiled. From post_fork on. */
bool cprof_processes_own_slot(uint32_t *slot_index);

/* Threads of uWSGI's that this process will have: those that serve requests in a worker, the
 * main thread elsewhere. From post_fork on. */
uint32_t cprof_processes_core_count(void);

/* How many requests a worker can serve at the same time, each on a core. */
uint32_t cprof_processes_request_count(void);

/* The core whose thread the caller is. -1: it is none's, or cores share the thread, or this is no
 * worker. From the hook on_process on, below; not in a signal handler. */
int cprof_processes_core_of_caller(void);

/* The name of a core's thread in this process: uWSGI's own in a worker, "uWSGIWorker1Core0", and
 * in that manner elsewhere, "uWSGIMule1", "uWSGISpooler1". */
void cprof_processes_core_name(int core, char *to, size_t to_bytes);

/* Wraps two hooks of the Python plugin, because a generic plugin lacks the one in mules and
 * spoolers and the other everywhere. Both are called after the Python plugin's own work:
 * on_process in the main thread of each worker, mule and spooler, where the interpreter is ready
 * and the GIL as uWSGI leaves it; on_core_thread in each thread of core 1 and up.
 * In `init`, when all plugins are loaded. False: no Python plugin. */
bool cprof_processes_hook_python(void (*on_process)(void), void (*on_core_thread)(int core));

/* The version of uWSGI, for the profile's comments. */
const char *cprof_processes_uwsgi_version(void);

#endif
