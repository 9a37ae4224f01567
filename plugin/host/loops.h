/* loops.h - uWSGI's loop engines: being told when a worker is about to start gevent's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_LOOPS_H
#define CPROF_LOOPS_H

#include <stdint.h>

/* Calls `hook` in the main thread of each worker that runs `loop = gevent`, right before the loop
 * starts, by wrapping the engine's function. In `init`, when all plugins are loaded; does nothing
 * where there is no such engine. */
void cprof_loops_hook_gevent(void (*hook)(void));

/* What is called around each call of the Python plugin that serves a request of `core`, in the
 * greenlet that serves it. */
struct cprof_request_hooks {
    void (*begin)(int core, uint64_t stamp); /* stamp: cprof_request_stamp */
    void (*end)(void);
};

/* From now on, in this process, by wrapping the plugin's function: in the hook above. */
void cprof_loops_hook_requests(const struct cprof_request_hooks *hooks);

#endif
