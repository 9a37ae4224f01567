/* log_writer.h - the gateway's log lines, written to stderr without a wait.
 *
 * Reader    stderr is what uWSGI logs to: a file, a terminal, a pipe or a socket. Whoever reads a
 *           pipe may hang, and a write would hang with it: a line that finds no room is dropped
 *           and counted. The next one that finds room follows one that says how many are missing.
 * Waiting   pwritev2(2) with RWF_NOWAIT, which pipes (from Linux 6.4 on) and sockets take. A file
 *           may take it, too, but would refuse lines that need a new block. Everywhere else
 *           poll(2) shows whether there is room; another writer can take it in between.
 *           O_NONBLOCK is no way: uWSGI and the app share the open file.
 * Callers   the gateway's threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_LOG_WRITER_H
#define CPROF_LOG_WRITER_H

#include <stdint.h>

/* Writes one whole line, as a sink of shared/base/log.h. */
void cprof_log_writer_write(const char *line);

/* Lines that were dropped in this process's life. */
uint64_t cprof_log_writer_dropped(void);

#endif
