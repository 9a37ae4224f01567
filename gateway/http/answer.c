/* answer.c - see answer.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIRST_ROOM_BYTES 4096u
#define DATE_BYTES       64u
#define STATUS_OK_FIRST  200
#define STATUS_OK_LAST   299
#define BODY_BYTES_LIMIT ((size_t)1 << 30)

/* Makes room for `more` bytes and a NUL. realloc would leave unwiped copies behind. */
static bool make_room(struct cprof_http_intake *intake, size_t more)
{
    size_t wanted = intake->body_bytes + more + 1, room = intake->room;
    char *grown;

    if (wanted <= room) {
        return true;
    }
    room = room ? room * 2 : FIRST_ROOM_BYTES;
    room = room < wanted ? wanted : room;
    grown = malloc(room);
    if (!grown) {
        return false;
    }
    if (intake->body) {
        memcpy(grown, intake->body, intake->body_bytes);
        explicit_bzero(intake->body, intake->body_bytes);
        free(intake->body);
    }
    intake->body = grown;
    intake->room = room;
    return true;
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct cprof_http_intake *intake = context;
    size_t bytes = size * count; /* size is 1, libcurl promises */

    if (bytes > intake->body_bytes_max - intake->body_bytes) {
        intake->too_large = true;
        return bytes ? 0 : 1; /* anything but `bytes` ends the transfer */
    }
    if (!make_room(intake, bytes)) {
        intake->no_memory = true;
        return bytes ? 0 : 1;
    }
    memcpy(intake->body + intake->body_bytes, data, bytes);
    intake->body_bytes += bytes;
    intake->body[intake->body_bytes] = '\0';
    return bytes;
}

/* The value if the line is of this header, without blanks around it; else NULL. */
static const char *value_of(const char *line, size_t line_bytes, const char *name,
                            size_t *value_bytes)
{
    size_t start = strlen(name), end = line_bytes;

    if (line_bytes <= start || strncasecmp(line, name, start) != 0 || line[start] != ':') {
        return NULL;
    }
    for (start++; start < end && (line[start] == ' ' || line[start] == '\t');) {
        start++;
    }
    while (end > start && strchr(" \t\r\n", line[end - 1])) {
        end--;
    }
    *value_bytes = end - start;
    return line + start;
}

static int64_t date_of(const char *value, size_t value_bytes)
{
    char text[DATE_BYTES] = "";
    time_t date;

    if (value_bytes >= sizeof(text)) {
        return 0;
    }
    memcpy(text, value, value_bytes);
    date = curl_getdate(text, NULL);
    return date > 0 ? date : 0;
}

static size_t take_header(char *line, size_t size, size_t count, void *context)
{
    static const char google[] = "Google";
    struct cprof_http_intake *intake = context;
    size_t bytes = size * count, value_bytes = 0; /* size is 1 here, too */
    const char *value;

    if (bytes > CPROF_HTTP_HEADER_BYTES_MAX - intake->header_bytes) {
        intake->too_large = true;
        return 0;
    }
    intake->header_bytes += bytes;
    if (bytes >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        intake->date_unix_s = 0; /* those before were of an informational answer, or a proxy's */
        intake->metadata_flavor = false;
    }
    value = value_of(line, bytes, "Date", &value_bytes);
    if (value) {
        intake->date_unix_s = date_of(value, value_bytes);
    }
    value = value_of(line, bytes, "Metadata-Flavor", &value_bytes);
    if (value) {
        intake->metadata_flavor =
            value_bytes == strlen(google) && memcmp(value, google, value_bytes) == 0;
    }
    return bytes;
}

bool cprof_http_intake_attach(struct cprof_http_intake *intake, CURL *easy, size_t body_bytes_max)
{
    intake->body_bytes_max = body_bytes_max < BODY_BYTES_LIMIT ? body_bytes_max : BODY_BYTES_LIMIT;
    return curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, intake) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, intake) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, intake->words) == CURLE_OK &&
           /* Spares the download where the length is announced. */
           curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)intake->body_bytes_max) ==
               CURLE_OK;
}

static bool name_was_found(CURL *easy)
{
    curl_off_t found_us = 0;

    return curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &found_us) == CURLE_OK &&
           found_us > 0;
}

/* Did a proxy answer CONNECT with anything but yes? */
static bool proxy_refused(CURL *easy)
{
    long status = 0;

    return curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status) == CURLE_OK && status != 0 &&
           (status < STATUS_OK_FIRST || status > STATUS_OK_LAST);
}

static enum cprof_http_outcome outcome_of(const struct cprof_http_intake *intake, CURL *easy,
                                          CURLcode code)
{
    if (intake->too_large) {
        return CPROF_HTTP_TOO_LARGE;
    }
    if (intake->no_memory) {
        return CPROF_HTTP_FAILED;
    }
    switch (code) {
    case CURLE_OK:
        return CPROF_HTTP_ANSWERED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return CPROF_HTTP_UNRESOLVED;
    case CURLE_OPERATION_TIMEDOUT: /* connect_ms; the deadline is not libcurl's */
        return name_was_found(easy) ? CPROF_HTTP_UNREACHABLE : CPROF_HTTP_UNRESOLVED;
    case CURLE_COULDNT_CONNECT:
        return CPROF_HTTP_UNREACHABLE;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return CPROF_HTTP_UNTRUSTED;
    case CURLE_SSL_CACERT_BADFILE:
        return CPROF_HTTP_NO_CA;
    case CURLE_FILESIZE_EXCEEDED:
        return CPROF_HTTP_TOO_LARGE;
    case CURLE_UNSUPPORTED_PROTOCOL: /* what came was not HTTP; the URL's scheme was looked at */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_SSL_CONNECT_ERROR: /* the handshake broke, or the server speaks no TLS we may use */
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_BAD_CONTENT_ENCODING:
        return proxy_refused(easy) ? CPROF_HTTP_UNREACHABLE : CPROF_HTTP_BROKEN;
    default:
        return CPROF_HTTP_FAILED;
    }
}

/* libcurl's words name host, port or certificate and are worth more than its general sentence; but
 * they may quote the URL of a proxy, which may hold a password. */
static const char *words_of(const struct cprof_http_intake *intake, CURLcode code)
{
    bool quotes_url = strchr(intake->words, '@') || strstr(intake->words, "://");

    return intake->words[0] && !quotes_url ? intake->words : curl_easy_strerror(code);
}

static int64_t retry_after_of(CURL *easy)
{
    curl_off_t seconds = 0;

    if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds < 0) {
        return 0; /* a date in the past is negative */
    }
    return seconds < CPROF_HTTP_RETRY_AFTER_S_MAX ? seconds : CPROF_HTTP_RETRY_AFTER_S_MAX;
}

void cprof_http_intake_read(const struct cprof_http_intake *intake, CURL *easy, CURLcode code,
                            struct cprof_http_answer *answer)
{
    *answer = (struct cprof_http_answer){
        .outcome = outcome_of(intake, easy, code), .body = "", .trouble = ""};

    switch (answer->outcome) {
    case CPROF_HTTP_ANSWERED:
        break;
    case CPROF_HTTP_TOO_LARGE:
        answer->trouble = "the answer is longer than allowed";
        return;
    default:
        answer->trouble = intake->no_memory ? "out of memory" : words_of(intake, code);
        return;
    }
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
    answer->body = intake->body ? intake->body : "";
    answer->body_bytes = intake->body_bytes;
    answer->date_unix_s = intake->date_unix_s;
    answer->metadata_flavor = intake->metadata_flavor;
    answer->retry_after_s = retry_after_of(easy);
}

void cprof_http_intake_reset(struct cprof_http_intake *intake)
{
    if (intake->body) {
        explicit_bzero(intake->body, intake->body_bytes);
        free(intake->body);
    }
    intake->body = NULL;
    intake->body_bytes = intake->room = 0;
}
