/* sampler.h - the sampling half of the plugin, as the host sees it: start, threads, end.
 *
 * Callers   each function names its own. All of it happens in a worker (mule, spooler), after
 *           the fork; nothing of it in the master, unless there is none and process 1 serves.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SAMPLER_H
#define CPROF_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "../python/runtime.h"
#include "../tags/request_view.h"

struct cprof_sampler_start {
    int segment_fd;      /* borrowed for the call */
    uint32_t slot_index; /* whose place this process takes */
    uint32_t max_depth;
    bool native_leaf;            /* samples on the CPU tell in which native code they stood */
    uint32_t core_count;         /* threads of uWSGI's that this process will have */
    uint32_t ceiling_hundredths; /* cloudprofiler-max-overhead, of a per cent; 0: none */
    uint32_t request_count;      /* requests that it can serve at the same time */
    struct cprof_request_view requests;
    const struct cprof_python *python; /* as found in the master; copied */
};

/* Takes the slot, installs the handlers and the death hook, starts the ticker. In the main
 * thread of the new process, before the app's threads start. False: this process is not
 * sampled, and nothing stays behind that could harm it. */
bool cprof_sampler_start(const struct cprof_sampler_start *start,
                         struct cprof_error *error) CPROF_MUST_USE;

/* The calling thread is uWSGI's `core`: it is registered as `name` and lets our signals through.
 * After the Python plugin has made the thread's state. */
void cprof_sampler_add_core_thread(int core, const char *name);

/* The calling thread, the process's main one, is about to run a loop in which greenlets take turns:
 * those that it makes are noted from now on, so that wall profiles show those that wait. Takes the
 * GIL. False: greenlets share one context here, so that it cannot be told which request one
 * serves. */
bool cprof_sampler_watch_greenlets(void) CPROF_MUST_USE;

/* Keys of tags get their numbers here, before the app can use all of them up: those of the
 * request's parts among `tags` (enum cprof_tag_bit), and others by name. False, 0: no more are
 * accepted. In the master, before anything is forked. */
bool cprof_sampler_reserve_tags(uint32_t tags) CPROF_MUST_USE;
uint32_t cprof_sampler_tag_key(const char *key, size_t key_bytes);

/* Tags the present request of `core`. On its thread; nothing happens where nothing is sampled. */
void cprof_sampler_tag_request(int core, uint64_t stamp, uint32_t key, const char *value,
                               size_t value_bytes);

/* Where cores share a thread: the running greenlet serves this request from now on; it serves
 * none any more. With the GIL. */
void cprof_sampler_begin_request(int core, uint64_t stamp);
void cprof_sampler_end_request(void);

/* The process is ending; may run inside a signal handler, and returns within 50 ms. */
CPROF_SIGSAFE void cprof_sampler_stop(void);

#endif
