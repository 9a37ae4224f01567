/* server_key.h - what tells this server from others of one service on one host.
 *
 * Made from the names of its configuration files and from the addresses that it listens on, as the
 * configuration writes them: these differ between vassals of one template, and stay over reloads,
 * restarts and most changes of a configuration. Process ids do not stay, and the working directory
 * often names a release. Two servers that are started in exactly the same way have the same key;
 * gateway/sinks/output.h tells those apart.
 *
 * Callers   the master (or the only process), before any fork, when all options are read.
 * Source    core/config.c: exported_opts holds every option with its final value; an emperor names
 *           a vassal's file in the vassal's own command line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SERVER_KEY_H
#define CPROF_SERVER_KEY_H

#include <stdint.h>

uint64_t cprof_server_key(void);

#endif
