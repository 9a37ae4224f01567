/* answer.h - takes in what a server sends, within bounds, and says what became of the call.
 *
 * Callers   the gateway's thread, inside libcurl's callbacks.
 * Memory    the body grows up to answer_bytes_max, decoded; headers are looked at and not kept. The
 *           body may hold a token: all of its copies are wiped.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_HTTP_ANSWER_H
#define CPROF_HTTP_ANSWER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "client.h"

/* All headers of a call together, informational answers included. */
#define CPROF_HTTP_HEADER_BYTES_MAX (64u * 1024u)

/* What a server that asks for more is held to. */
#define CPROF_HTTP_RETRY_AFTER_S_MAX INT64_C(86400)

struct cprof_http_intake {
    char *body; /* NUL-terminated; NULL: nothing came */
    size_t body_bytes, room, body_bytes_max;
    size_t header_bytes;
    int64_t date_unix_s;
    bool metadata_flavor;
    bool too_large, no_memory;
    char words[CURL_ERROR_SIZE]; /* libcurl's */
};

/* Gives what `easy` receives to `intake`, which must be zeroed, outlive the transfer and stay where
 * it is. */
bool cprof_http_intake_attach(struct cprof_http_intake *intake, CURL *easy,
                              size_t body_bytes_max) CPROF_MUST_USE;

/* The answer, after libcurl ended the transfer with `code`. Body and trouble are borrowed from the
 * intake. */
void cprof_http_intake_read(const struct cprof_http_intake *intake, CURL *easy, CURLcode code,
                            struct cprof_http_answer *answer);

/* Wipes and frees the body. */
void cprof_http_intake_reset(struct cprof_http_intake *intake);

#endif
