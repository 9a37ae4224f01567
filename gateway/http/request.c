/* request.c - see request.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "request.h"

#include <string.h>
#include <strings.h>

#define CONNECT_MS_DEFAULT 10000u

/* A create call hangs for up to an hour, and boxes on the way forget connections that are silent
 * for longer than about five minutes. */
#define KEEPALIVE_IDLE_S     60L
#define KEEPALIVE_INTERVAL_S 30L

/* libcurl would not use an open connection again that was idle for two minutes; between create and
 * update lies the whole window, of up to ten. */
#define IDLE_CONNECTION_S 3600L

/* Sets an option, whose type libcurl's documentation tells, unless one before failed. */
#define SET(ok, easy, option, value) ((ok) && curl_easy_setopt(easy, option, value) == CURLE_OK)

static bool starts_with(const char *text, const char *start)
{
    return strncasecmp(text, start, strlen(start)) == 0;
}

/* A line break would begin a header, or a request, of its own. */
static bool headers_are_lines(const struct cprof_http_request *request)
{
    for (unsigned i = 0; i < CPROF_HTTP_HEADERS_MAX && request->headers[i]; i++) {
        if (strpbrk(request->headers[i], "\r\n")) {
            return false;
        }
    }
    return true;
}

bool cprof_http_request_check(const struct cprof_http_request *request, struct cprof_error *error)
{
    bool plain = starts_with(request->url, "http://");

    if (!plain && !starts_with(request->url, "https://")) {
        return cprof_fail(error, "HTTP: the URL begins neither with https:// nor with http://");
    }
    if (plain && !request->plain_allowed) {
        return cprof_fail(error, "HTTP: the URL begins with http://, which is not allowed here");
    }
    if (!headers_are_lines(request)) {
        return cprof_fail(error, "HTTP: a header with a line break in it");
    }
    if (request->deadline_ms == 0) {
        return cprof_fail(error, "HTTP: a call without a deadline");
    }
    return true;
}

/* Both lists of protocols: the names came with libcurl 7.85, which warns of the numbers. */
static bool set_protocols(CURL *easy, bool plain_allowed)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    const char *allowed = plain_allowed ? "http,https" : "https";

    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, allowed) == CURLE_OK;
#else
    long allowed = plain_allowed ? CURLPROTO_HTTP | CURLPROTO_HTTPS : CURLPROTO_HTTPS;

    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, allowed) == CURLE_OK;
#endif
}

/* A name may take the resolver's thread half a minute. Cancelling leaves the thread to itself
 * instead of waiting for it (since libcurl 7.87): it frees what is its own. */
static bool set_resolver(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075700
    return curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
#else
    (void)easy;
    return true;
#endif
}

static bool set_trust(CURL *easy, const struct cprof_http_trust *trust)
{
    bool ok = true;

    ok = SET(ok, easy, CURLOPT_SSL_VERIFYPEER, 1L);
    ok = SET(ok, easy, CURLOPT_SSL_VERIFYHOST, 2L);
    ok = SET(ok, easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    ok = SET(ok, easy, CURLOPT_CAINFO, trust->file);
    ok = SET(ok, easy, CURLOPT_CAPATH, trust->directory);
    /* A proxy may be reached by TLS, too. */
    ok = SET(ok, easy, CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
    ok = SET(ok, easy, CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
    ok = SET(ok, easy, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    ok = SET(ok, easy, CURLOPT_PROXY_CAINFO, trust->file);
    ok = SET(ok, easy, CURLOPT_PROXY_CAPATH, trust->directory);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Else those of a file would be kept for a day, whatever becomes of the file. */
    ok = SET(ok, easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
    return ok;
}

static bool set_connection(CURL *easy, const struct cprof_http_request *request)
{
    uint32_t connect_ms = request->connect_ms ? request->connect_ms : CONNECT_MS_DEFAULT;
    bool own_connection = request->channel == CPROF_HTTP_OTHER;
    bool ok = set_protocols(easy, request->plain_allowed) && set_resolver(easy);

    ok = SET(ok, easy, CURLOPT_NOSIGNAL, 1L);
    ok = SET(ok, easy, CURLOPT_FOLLOWLOCATION, 0L);
    /* Calls with a connection of their own gain nothing by HTTP/2, and nghttp2 would keep copies of
     * what they send, such as assertions, in memory that nobody wipes. */
    ok = SET(ok, easy, CURLOPT_HTTP_VERSION,
             own_connection ? (long)CURL_HTTP_VERSION_1_1 : (long)CURL_HTTP_VERSION_2TLS);
    ok = SET(ok, easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    ok = SET(ok, easy, CURLOPT_TCP_KEEPALIVE, 1L);
    ok = SET(ok, easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    ok = SET(ok, easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    ok = SET(ok, easy, CURLOPT_MAXAGE_CONN, IDLE_CONNECTION_S);
    ok = SET(ok, easy, CURLOPT_FORBID_REUSE, own_connection ? 1L : 0L);
    if (request->direct) {
        ok = SET(ok, easy, CURLOPT_PROXY, "");
    }
    return ok;
}

static bool add_header(struct curl_slist **headers, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*headers, line);

    if (longer) {
        *headers = longer;
    }
    return longer != NULL;
}

static bool copy_headers(const struct cprof_http_request *request, struct curl_slist **headers)
{
    /* Without this libcurl waits a second before it sends a long body by HTTP/1.1. */
    bool ok = add_header(headers, "Expect:");

    for (unsigned i = 0; ok && i < CPROF_HTTP_HEADERS_MAX && request->headers[i]; i++) {
        ok = add_header(headers, request->headers[i]);
    }
    return ok;
}

static bool set_message(CURL *easy, const struct cprof_http_request *request,
                        const char *user_agent, const struct curl_slist *headers)
{
    bool ok = true;

    ok = SET(ok, easy, CURLOPT_URL, request->url);
    if (request->body || strcmp(request->method, "GET") != 0) {
        ok = SET(ok, easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        ok = SET(ok, easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
    }
    ok = SET(ok, easy, CURLOPT_CUSTOMREQUEST, request->method);
    ok = SET(ok, easy, CURLOPT_HTTPHEADER, headers);
    ok = SET(ok, easy, CURLOPT_USERAGENT, user_agent);
    ok = SET(ok, easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    return ok;
}

bool cprof_http_request_apply(const struct cprof_http_request *request, const char *user_agent,
                              const struct cprof_http_trust *trust, CURL *easy,
                              struct curl_slist **headers)
{
    return copy_headers(request, headers) && set_trust(easy, trust) &&
           set_connection(easy, request) && set_message(easy, request, user_agent, *headers);
}

void cprof_http_headers_free(struct curl_slist *headers)
{
    for (struct curl_slist *each = headers; each; each = each->next) {
        explicit_bzero(each->data, strlen(each->data));
    }
    curl_slist_free_all(headers);
}
