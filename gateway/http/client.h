/* http/client.h - HTTP requests that never block: libcurl's multi interface on the gateway's loop.
 *
 * Callers     the gateway's thread, on the loop.
 * Connections calls of CPROF_HTTP_API share one connection at a time, which is kept open: by HTTP/2
 *             at the same time, by HTTP/1.1 one waits for the other to end. Calls of
 *             CPROF_HTTP_OTHER (token endpoints, the metadata server) have connections of their
 *             own, which are closed after the answer.
 * TLS         always verified, TLS 1.2 at least, HTTP/2 where the server offers it. trust.h says
 *             which certificates of authorities are used.
 * Redirects   are answers like others and are never followed: a credential goes nowhere else.
 * Proxies     HTTPS_PROXY, NO_PROXY as libcurl knows them, unless a request says direct.
 * Names       are looked up in a thread of libcurl's. No call waits for it longer than its time and
 *             neither does the end of the client: the thread is left to itself.
 * Waiting     costs nothing: a call that hangs, or an open connection that nobody uses, turns the
 *             loop no more than the resolver's four times a second.
 * Signals     SIGPIPE is ignored in the process once there is a client.
 * Memory      requests are copied, but for the body, which is borrowed until `finished`. Copied
 *             headers, the body of an answer and libcurl's own memory are wiped before they are
 *             freed (wiped_memory.h).
 * Secrets     nothing of a request but method and URL without its query may be logged.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_HTTP_CLIENT_H
#define CPROF_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "../loop/loop.h"

#define CPROF_HTTP_HEADERS_MAX 12u

enum cprof_http_channel {
    CPROF_HTTP_API,   /* one connection in all */
    CPROF_HTTP_OTHER, /* a few, short-lived */
};

struct cprof_http_request {
    enum cprof_http_channel channel;
    const char *method; /* "GET", "POST", "PATCH" */
    const char *url;
    const char *headers[CPROF_HTTP_HEADERS_MAX]; /* "name: value"; NULL: the end */
    const char *body;                            /* borrowed until `finished` */
    size_t body_bytes;
    uint32_t deadline_ms;    /* for the whole call, waiting for the connection included; not 0 */
    uint32_t connect_ms;     /* for name, TCP and TLS; 0: 10 s */
    size_t answer_bytes_max; /* decoded (gzip); a longer answer breaks the call off */
    bool direct;             /* never by a proxy: the metadata server */
    bool plain_allowed;      /* http:// too; else only https:// */
};

/* What became of a call. */
enum cprof_http_outcome {
    CPROF_HTTP_ANSWERED, /* a whole answer, of whatever status */
    CPROF_HTTP_UNRESOLVED,
    CPROF_HTTP_UNREACHABLE, /* no connection: refused, no route, connect timeout */
    CPROF_HTTP_UNTRUSTED,   /* TLS: the certificate is of another name, expired, of no known CA */
    CPROF_HTTP_NO_CA,       /* TLS: no file of CA certificates, or one that cannot be read */
    CPROF_HTTP_BROKEN,      /* the connection ended in the middle, or what came was not HTTP */
    CPROF_HTTP_TOO_LATE,    /* the deadline passed */
    CPROF_HTTP_TOO_LARGE,
    CPROF_HTTP_FAILED, /* anything else: no memory, a URL that is none */
};

struct cprof_http_answer {
    enum cprof_http_outcome outcome;
    long status;           /* 0 unless answered */
    const char *body;      /* NUL-terminated behind body_bytes; never NULL */
    size_t body_bytes;     /* what came, NULs included */
    int64_t date_unix_s;   /* of the header Date; 0: none */
    int64_t retry_after_s; /* of the header Retry-After, in seconds, at most a day; 0: none */
    bool metadata_flavor;  /* the header Metadata-Flavor: Google was there */
    const char *trouble;   /* why there is no answer, in words without secrets; "" if answered */
};

struct cprof_http_client;
struct cprof_http_call;

struct cprof_http_settings {
    const char *ca_file;    /* NULL or empty: the system's */
    const char *user_agent; /* of all calls */
};

/* Makes a client on `loop`; settings are copied. NULL with the error. */
struct cprof_http_client *cprof_http_client_create(struct cprof_loop *loop,
                                                   const struct cprof_http_settings *settings,
                                                   struct cprof_error *error);
/* Cancels all calls and closes all connections at once. Not from within `finished`. NULL does
 * nothing. */
void cprof_http_client_destroy(struct cprof_http_client *client);

/* Is called once for a call that was not cancelled, never from within cprof_http_start. The answer
 * is borrowed for the callback; the call is gone when it returns. Calls may be started and
 * cancelled in it; to cancel the one that is finished does nothing.
 */
typedef void cprof_http_finished(void *context, const struct cprof_http_answer *answer);

/* Starts a call. NULL with the error: nothing was started and `finished` is not called. Refused: a
 * URL that is not of https (or http where that is allowed), a header with a line break. */
struct cprof_http_call *cprof_http_start(struct cprof_http_client *client,
                                         const struct cprof_http_request *request,
                                         cprof_http_finished *finished, void *context,
                                         struct cprof_error *error) CPROF_MUST_USE;

/* Ends a call at once, and its connection unless other calls share it; `finished` is not called and
 * the body is free. NULL does nothing. */
void cprof_http_cancel(struct cprof_http_call *call);

/* Percent-encodes `text` (RFC 3986) into `encoded`; false: no room. */
bool cprof_http_encode(char *encoded, size_t encoded_bytes, const char *text) CPROF_MUST_USE;

#endif
