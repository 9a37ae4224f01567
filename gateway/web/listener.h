/* listener.h - the socket that the endpoint listens on.
 *
 * Callers   the gateway's thread alone: the umask is changed for an instant.
 * Checks    the address again, which host/options.c has accepted: anything but loopback only with
 *           http_allow_remote.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_LISTENER_H
#define CPROF_WEB_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../../shared/base/error.h"

#define CPROF_WEB_URL_BYTES 192

struct cprof_listener {
    int fd;
    bool is_local;                 /* a unix socket */
    char url[CPROF_WEB_URL_BYTES]; /* http://127.0.0.1:8080/, without a token */
    char path[CPROF_HTTP_ADDRESS_BYTES];
    dev_t device; /* of the socket's file, and its number, so that only the own one is removed */
    ino_t inode;
};

/* Opens it, non-blocking. A socket file that nobody listens on any more is replaced. */
bool cprof_listener_open(struct cprof_listener *listener, const struct cprof_config *config,
                         struct cprof_error *error) CPROF_MUST_USE;

/* Removes the socket's file; whoever was given the descriptor has closed it. */
void cprof_listener_forget(const struct cprof_listener *listener);

#endif
