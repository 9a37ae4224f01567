/* stack_json.h - what each request and each thread does, as JSON: the same as stack_text.h, for
 * programs.
 *
 *     {"workers": [{"name": "worker 1", "pid": 4711, "threads": [
 *         {"name": "uWSGIWorker1Core0",
 *          "request": {"method": "GET", "uri": "/report", "start_ms": 1763820000000,
 *                      "seconds": 2.3},
 *          "greenlets": 0,
 *          "alike": [{"name": "uWSGIWorker1Core0", "request": null}],
 *          "stacks": [{"state": "sleep", "percent": 100.0, "frames": [
 *              {"name": "nap", "file": "/srv/app.py", "line": 12}]}]}]}],
 *      "cut": false}
 *
 * An entry of "threads" is a request on a thread, or a thread or so many greenlets without one that
 * is known; "alike" are more of them with the same stacks. "name" is null and "stacks" empty where
 * no stack of a request was seen.
 *
 * Callers   the gateway's thread.
 * Bounds    about CPROF_STACK_JSON_FRAMES_MAX frames; what comes behind is named without its
 *           stacks. CPROF_STACK_JSON_ENTRIES_MAX entries, "alike" included. "cut" says of both.
 * Trust     as in stack_text.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_STACK_JSON_H
#define CPROF_STACK_JSON_H

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "stack_text.h"

/* A hundred threads with deep stacks; each frame costs half a kilobyte while the text is made. */
#define CPROF_STACK_JSON_FRAMES_MAX  20000u
#define CPROF_STACK_JSON_ENTRIES_MAX 20000u

/* The text, which the caller frees. NULL without memory. */
char *cprof_stack_json(const struct cprof_stack_text *wanted,
                       struct cprof_error *error) CPROF_MUST_USE;

#endif
