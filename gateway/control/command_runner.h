/* command_runner.h - carries out what operators ask for, whoever they come from, and holds what
 * they have set.
 *
 * Callers   the gateway's thread, on the loop. What it can do comes as callbacks. The ring in
 *           shared memory (fifo, hooks, alarms, routes) is read here; the endpoint gives it
 *           commands of its own.
 * Settings  stand in the control page for the next gateway and for the life after a reload. The
 *           values in force are this process's own: what a worker scribbles there is not looked at
 *           again, and is checked when a gateway starts.
 * Rates     so many commands at a time from the ring, then a pause: a process that rings for ever
 *           costs next to nothing. Each change is logged, repeated ones are not.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_COMMAND_RUNNER_H
#define CPROF_COMMAND_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../../shared/base/error.h"
#include "../../shared/segment/commands.h"
#include "../../shared/segment/segment.h"
#include "../loop/loop.h"

/* What is in force: configuration, and what operators have set above it. */
struct cprof_settings {
    bool on;
    bool upload;
    uint32_t kinds; /* enum cprof_kind; at least one */
    uint32_t period_ms;
    uint32_t output_interval_s;
};

/* What the conductor lends. */
struct cprof_command_host {
    void *context;
    /* Takes one profile of each of `kinds`; where it goes is the host's affair. False: it cannot
     * be taken now, for the reason in `error`. */
    bool (*profile)(void *context, uint32_t kinds, uint32_t seconds, enum cprof_origin origin,
                    struct cprof_error *error);
    /* Writes all threads' stacks to the log, soon. */
    bool (*stacks)(void *context, struct cprof_error *error);
    /* The settings have changed. */
    void (*changed)(void *context, const struct cprof_settings *before,
                    const struct cprof_settings *after);
};

/* What became of a command. */
enum cprof_command_outcome {
    CPROF_OUTCOME_DONE,    /* it is so (it may have been so before) */
    CPROF_OUTCOME_STARTED, /* and will end by itself: profile, stacks */
    CPROF_OUTCOME_INVALID, /* no such thing, or out of bounds */
    CPROF_OUTCOME_REFUSED, /* not in this state: off, too many at once, nothing to upload to */
};

struct cprof_command_runner;

/* Everything is borrowed; bell_fd: the reading end of the bell, -1: there is none (tests). Reads
 * the settings from the control page. NULL with the error. */
struct cprof_command_runner *cprof_command_runner_create(const struct cprof_config *config,
                                                         const struct cprof_segment *segment,
                                                         int bell_fd, struct cprof_loop *loop,
                                                         const struct cprof_command_host *host,
                                                         struct cprof_error *error) CPROF_MUST_USE;
/* Once windows can be ordered: from now on the ring is read, first what came before. */
void cprof_command_runner_listen(struct cprof_command_runner *runner);
/* NULL is fine. */
void cprof_command_runner_destroy(struct cprof_command_runner *runner);

/* Carries it out; `text` becomes one sentence for who asked, without a newline. */
enum cprof_command_outcome cprof_command_run(struct cprof_command_runner *runner,
                                             const struct cprof_command *command, char *text,
                                             size_t text_bytes);

const struct cprof_settings *cprof_command_settings(const struct cprof_command_runner *runner);

#endif
