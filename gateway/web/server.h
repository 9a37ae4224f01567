/* server.h - the local endpoint: libmicrohttpd on the gateway's loop.
 *
 * Callers   the gateway's thread; nothing blocks, no thread is made.
 * Address   an absolute path: a unix socket of mode 0600, whose mode is what guards it;
 *           127.0.0.1:PORT, [::1]:PORT or, with http_allow_remote, any ADDRESS:PORT: every request
 *           needs the token (guard.h). Port 0 is taken from the kernel.
 * Stuck     a connection has REQUEST_SECONDS for its request and ANSWER_SECONDS to take the answer,
 *           whatever it does meanwhile; there is one request on each. A client that goes away gives
 *           back what it waited for.
 * Idle      no timer runs while there is no connection.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_SERVER_H
#define CPROF_WEB_SERVER_H

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../../shared/base/error.h"
#include "../loop/loop.h"
#include "routes.h"

struct cprof_web_server;

/* Listens at config->http_address and says where in one line of the log, now or, where the token's
 * file is looked at first, in a moment. Everything is borrowed until the end. NULL with the error:
 * no memory, or no place in the loop. */
struct cprof_web_server *cprof_web_server_create(const struct cprof_config *config,
                                                 struct cprof_loop *loop,
                                                 const struct cprof_web_site *site,
                                                 struct cprof_error *error) CPROF_MUST_USE;
/* Ends every connection; before what the site consists of. NULL is fine. */
void cprof_web_server_destroy(struct cprof_web_server *server);

#endif
