/* processes.h - who is this process and thread, in uWSGI's terms.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PROCESSES_H
#define CPROF_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Number of process places that can be profiled: workers, whether they run now or not (cheaper).
 * Final from postinit_apps on; 0: nothing to profile. */
uint32_t cprof_processes_slot_count(void);

/* The slot of the calling process. False: it is none that is profiled. From post_fork on. */
bool cprof_processes_own_slot(uint32_t *slot_index);

/* Threads that serve requests in each worker. */
uint32_t cprof_processes_core_count(void);

/* uWSGI's own name of a core's thread in this process, "uWSGIWorker1Core0". */
void cprof_processes_core_name(int core, char *to, size_t to_bytes);

/* Calls `hook` in each thread of core 1 and up, after the Python plugin has made the thread's
 * state, by wrapping that plugin's init_thread: a generic plugin gets no such call. In `init`,
 * when all plugins are loaded. False: no Python plugin. */
bool cprof_processes_hook_core_threads(void (*hook)(int core));

/* The version of uWSGI, for the profile's comments. */
const char *cprof_processes_uwsgi_version(void);

#endif
