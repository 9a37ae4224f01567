/* request.h - a request in libcurl's terms.
 *
 * Callers   the gateway's thread.
 * Memory    all is copied but for the body, which is borrowed while `easy` lives.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_HTTP_REQUEST_H
#define CPROF_HTTP_REQUEST_H

#include <curl/curl.h>
#include <stdbool.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "client.h"
#include "trust.h"

/* Refuses, with the error, what is no request: no URL of http or https, plain HTTP where it is not
 * allowed, a header with a line break, no deadline. */
bool cprof_http_request_check(const struct cprof_http_request *request,
                              struct cprof_error *error) CPROF_MUST_USE;

/* Sets `easy`, which is new, to the request. *headers is filled: the caller ends it with
 * cprof_http_headers_free after `easy`, on failure too. False: no memory, or a libcurl that cannot
 * do what we need. */
bool cprof_http_request_apply(const struct cprof_http_request *request, const char *user_agent,
                              const struct cprof_http_trust *trust, CURL *easy,
                              struct curl_slist **headers) CPROF_MUST_USE;

/* Wipes and frees. NULL does nothing. */
void cprof_http_headers_free(struct curl_slist *headers);

#endif
