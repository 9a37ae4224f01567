/* gateway_process.h - registering the gateway with uWSGI, and becoming the gateway program.
 *
 * uWSGI forks the gateway from the master, app and all, supervises and respawns it. Our loop
 * function closes what it inherited and execs the program, which keeps pid and supervision and
 * nothing of the app's memory.
 *
 * Descriptors  the segment and the sealed configuration are CLOEXEC in the master; only the
 *              gateway lifts that for itself, and the master for the segment when it reloads.
 * Callers      the master (or the only process) in init, postinit_apps and master_cleanup.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_GATEWAY_PROCESS_H
#define CPROF_GATEWAY_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "options.h"

/* Takes over the segments that earlier lives of this master left (see
 * cprof_gateway_hand_over). In `init`: soon afterwards a reloaded uWSGI closes every descriptor
 * that it does not know (core/setup_utils.c). */
void cprof_gateway_adopt_previous(void);

/* Lets go of them: this life profiles nothing. */
void cprof_gateway_drop_previous(void);

/* Makes this start's segment, with what operators had set before a reload, and the sealed copy of
 * the configuration, and what commands and routes need. *segment_fd stays this module's. `options`
 * must live as long as the process. */
bool cprof_gateway_prepare(const struct cprof_options *options, int *segment_fd,
                           struct cprof_error *error) CPROF_MUST_USE;

/* Registers the gateway, which gets what was prepared and the adopted segments. Without a master
 * uWSGI forks it at once, and it ends with the process that called this. */
bool cprof_gateway_register(struct cprof_error *error) CPROF_MUST_USE;

/* Master, when all workers are gone, before the exec of a reload: stamps the segment with the
 * time and lets the descriptors survive the exec, named in the environment. */
void cprof_gateway_hand_over(void);

/* Runs the program as a child that checks what of the upload works, and returns its pid; -1 with
 * the error. The caller waits for it: it exits with 0 or 1. */
pid_t cprof_gateway_run_check(const struct cprof_options *options,
                              struct cprof_error *error) CPROF_MUST_USE;

#endif
