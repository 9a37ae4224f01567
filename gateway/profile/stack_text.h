/* stack_text.h - what each request and each thread does, as text for people, from a short wall
 * profile whose samples know their requests (CPROF_WINDOW_REQUESTS).
 *
 *     worker 1, pid 4711
 *       thread uWSGIWorker1Core0: GET /report, for 2.3 s
 *         sleep, 100 %
 *           nap (/srv/app.py:12)
 *           application (/srv/app.py:30)
 *       thread uWSGIWorker1Core1
 *       thread uWSGIWorker1Core2
 *         poll, 100 %
 *           [idle]
 *
 * What stands where, and which stacks are shown: stack_groups.h. The same for programs:
 * stack_json.h.
 *
 * Callers   the gateway's thread.
 * Trust     texts were cleaned when the profile was read (pprof.h): no control characters.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_STACK_TEXT_H
#define CPROF_STACK_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/error.h"
#include "running.h"
#include "table.h"

struct cprof_stack_text {
    const struct cprof_table *table;
    const char *worker; /* value of the label, of the only one that is shown; NULL: all */
    const struct cprof_running *running; /* requests that are shown in any case; NULL: none */
    uint64_t end_unix_ns;                /* as in stack_groups.h */
    /* The pid of a worker, mule, spooler by its label; 0: not known. NULL: nobody asks. */
    uint32_t (*pid_of)(void *context, const char *worker);
    void *context;
};

/* The text, which the caller frees. NULL without memory. */
char *cprof_stack_text(const struct cprof_stack_text *wanted, struct cprof_error *error);

/* The stack with most time, on one line, innermost first: "62 % in sleep: nap (app.py:12) < main
 * (app.py:30)"; cut to `to_bytes`. Empty where the table is. */
void cprof_stack_line(const struct cprof_table *table, char *to, size_t to_bytes);

#endif
