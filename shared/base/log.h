/* log.h - leveled log lines, "[cloudprofiler] ..." in uWSGI's voice, through a sink of the host's.
 *
 * Callers   any process and thread of ours, never a signal handler.
 * Sink      the plugin gives uwsgi_log, the gateway a function that writes to stderr. Until one
 *           is given, nothing is printed.
 * Secrets   no credential, token or query string may ever be an argument.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_LOG_H
#define CPROF_LOG_H

#include "attributes.h"

enum cprof_log_level {
    CPROF_LOG_ERROR = 0,
    CPROF_LOG_WARNING = 1,
    CPROF_LOG_INFO = 2,
    CPROF_LOG_DEBUG = 3,
};

/* Takes one whole line, newline included. */
typedef void cprof_log_sink(const char *line);

/* Sets the sink and the highest level that is printed (cloudprofiler-verbose). */
void cprof_log_setup(cprof_log_sink *sink, enum cprof_log_level highest);

/* Prints one line when `level` is at most the highest level. Control characters in the result
 * are printed as '?', so that no foreign text can forge a log line. */
void cprof_log(enum cprof_log_level level, const char *format, ...) CPROF_PRINTF(2, 3);

/* The lines of the start, which an operator wants whatever the level is. */
void cprof_notice(const char *format, ...) CPROF_PRINTF(1, 2);

#endif
