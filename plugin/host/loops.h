/* loops.h - uWSGI's loop engines: being told when a worker is about to start gevent's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_LOOPS_H
#define CPROF_LOOPS_H

/* Calls `hook` in the main thread of each worker that runs `loop = gevent`, right before the loop
 * starts, by wrapping the engine's function. In `init`, when all plugins are loaded; does nothing
 * where there is no such engine. */
void cprof_loops_hook_gevent(void (*hook)(void));

#endif
