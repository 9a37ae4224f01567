/* client.c - see client.h.
 *
 * Each call is a transfer of one of two channels. libcurl works when a socket is ready or its time
 * has come (multi.c); after that on_turn looks for transfers that ended and for calls whose
 * deadline has passed. Deadlines are not libcurl's, because it does not look at that of a transfer
 * which waits for the one connection.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"
#include "answer.h"
#include "multi.h"
#include "request.h"
#include "trust.h"
#include "wiped_memory.h"

#define CHANNELS 2u

_Static_assert(CPROF_HTTP_API < CHANNELS && CPROF_HTTP_OTHER < CHANNELS, "a line for each");

struct line;

struct cprof_http_call {
    struct cprof_http_call *next, **link; /* *link is this call */
    struct line *line;
    CURL *easy;
    struct curl_slist *headers;
    struct cprof_http_intake intake;
    cprof_http_finished *finished;
    void *context;
    uint64_t deadline_ns;
    bool starved;   /* libcurl got no watch for a socket that may be this call's */
    bool finishing; /* out of the list; its callback runs */
};

/* A channel and the calls that are under way on it. */
struct line {
    struct cprof_http_multi multi;
    struct cprof_http_call *calls;
};

struct cprof_http_client {
    struct line lines[CHANNELS];
    char *ca_file, *user_agent;
};

static void set_wake(struct line *line)
{
    uint64_t wake_ns = CPROF_LOOP_NEVER;

    for (const struct cprof_http_call *call = line->calls; call; call = call->next) {
        wake_ns = call->deadline_ns < wake_ns ? call->deadline_ns : wake_ns;
    }
    cprof_http_multi_wake(&line->multi, wake_ns);
}

static void free_call(struct cprof_http_call *call)
{
    if (call->easy) {
        curl_easy_cleanup(call->easy);
    }
    cprof_http_headers_free(call->headers);
    cprof_http_intake_reset(&call->intake);
    free(call);
}

static void put_on(struct line *line, struct cprof_http_call *call)
{
    call->line = line;
    call->link = &line->calls;
    call->next = line->calls;
    if (call->next) {
        call->next->link = &call->next;
    }
    line->calls = call;
    set_wake(line);
}

/* Takes the call from its line and its transfer from libcurl. */
static void take_off(struct cprof_http_call *call)
{
    *call->link = call->next;
    if (call->next) {
        call->next->link = call->link;
    }
    (void)curl_multi_remove_handle(call->line->multi.handle, call->easy);
    set_wake(call->line);
}

/* The same for a call that is under way. libcurl would keep an HTTP/2 connection open and tell the
 * server of the stream's end no earlier than with the next request: meanwhile the server might
 * answer a create call that nobody waits for. */
static void take_off_early(struct cprof_http_call *call)
{
    (void)curl_easy_setopt(call->easy, CURLOPT_FORBID_REUSE, 1L);
    take_off(call);
}

static void tell(struct cprof_http_call *call, const struct cprof_http_answer *answer)
{
    call->finishing = true;
    call->finished(call->context, answer);
    free_call(call);
}

static void finish(struct cprof_http_call *call, CURLcode code)
{
    struct cprof_http_answer answer;

    take_off(call);
    cprof_http_intake_read(&call->intake, call->easy, code, &answer);
    tell(call, &answer);
}

static struct cprof_http_call *find_hopeless(const struct line *line, uint64_t now_ns)
{
    struct cprof_http_call *call = line->calls;

    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): a freed call is off the list, by its link. */
    while (call && call->deadline_ns > now_ns && !call->starved) {
        call = call->next;
    }
    return call;
}

static void break_off(struct cprof_http_call *call)
{
    struct cprof_http_answer answer = {
        .outcome = call->starved ? CPROF_HTTP_FAILED : CPROF_HTTP_TOO_LATE,
        .body = "",
        .trouble = call->starved ? "too many descriptors are waited for"
                                 : "no answer within the time that the call was given",
    };

    take_off_early(call);
    tell(call, &answer);
}

/* Which call a socket without a watch belongs to is not known: all that are under way now. */
static void mark_starved(struct line *line)
{
    for (struct cprof_http_call *call = line->calls; call && line->multi.starved;
         call = call->next) {
        call->starved = true;
    }
    line->multi.starved = false;
}

static void finish_ended(struct line *line)
{
    int others;

    for (CURLMsg *message; (message = curl_multi_info_read(line->multi.handle, &others));) {
        CURLcode code = message->data.result;
        char *call = NULL; /* of the type that libcurl gives it back as */

        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call) == CURLE_OK && call) {
            finish((struct cprof_http_call *)(void *)call, code);
        }
    }
}

/* Every callback may start and cancel calls: the list is begun anew after each. */
static void on_turn(void *context, uint64_t now_ns)
{
    struct line *line = context;
    struct cprof_http_call *call;

    finish_ended(line);
    mark_starved(line);
    while ((call = find_hopeless(line, now_ns))) {
        break_off(call);
    }
    set_wake(line);
}

static void ignore_broken_pipes(void)
{
    struct sigaction action = {.sa_handler = SIG_IGN};

    (void)sigaction(SIGPIPE, &action, NULL); /* libcurl leaves it alone with CURLOPT_NOSIGNAL */
}

static bool set_up(struct cprof_http_client *client, struct cprof_loop *loop,
                   const struct cprof_http_settings *settings, struct cprof_error *error)
{
    static const long connections_max[CHANNELS] = {
        [CPROF_HTTP_API] = 1,
        [CPROF_HTTP_OTHER] = CPROF_HTTP_CONNECTIONS_MAX,
    };

    client->ca_file = strdup(settings->ca_file ? settings->ca_file : "");
    client->user_agent = strdup(settings->user_agent ? settings->user_agent : "");
    if (!client->ca_file || !client->user_agent) {
        return cprof_fail(error, "HTTP: out of memory");
    }
    for (unsigned i = 0; i < CHANNELS; i++) {
        struct line *line = &client->lines[i];

        if (!cprof_http_multi_open(&line->multi, loop, connections_max[i], on_turn, line, error)) {
            return false;
        }
    }
    return true;
}

struct cprof_http_client *cprof_http_client_create(struct cprof_loop *loop,
                                                   const struct cprof_http_settings *settings,
                                                   struct cprof_error *error)
{
    struct cprof_http_client *client;

    if (!cprof_wiped_start_libcurl()) {
        (void)cprof_fail(error, "HTTP: libcurl cannot be set up");
        return NULL;
    }
    ignore_broken_pipes();
    client = calloc(1, sizeof(*client));
    if (!client) {
        curl_global_cleanup();
        (void)cprof_fail(error, "HTTP: out of memory");
        return NULL;
    }
    if (!set_up(client, loop, settings, error)) {
        cprof_http_client_destroy(client);
        return NULL;
    }
    return client;
}

void cprof_http_client_destroy(struct cprof_http_client *client)
{
    if (!client) {
        return;
    }
    for (unsigned i = 0; i < CHANNELS; i++) {
        while (client->lines[i].calls) {
            /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): that takes it off the list. */
            cprof_http_cancel(client->lines[i].calls);
        }
        cprof_http_multi_close(&client->lines[i].multi);
    }
    free(client->ca_file);
    free(client->user_agent);
    free(client);
    curl_global_cleanup();
}

/* Fills a call that is all zeros; on failure the caller frees it. */
static bool prepare(struct cprof_http_call *call, const struct cprof_http_client *client,
                    const struct cprof_http_request *request)
{
    const curl_version_info_data *system = curl_version_info(CURLVERSION_NOW);
    struct cprof_http_trust trust =
        cprof_http_trust_choose(client->ca_file, system->cainfo, system->capath);

    call->easy = curl_easy_init();
    return call->easy && curl_easy_setopt(call->easy, CURLOPT_PRIVATE, (void *)call) == CURLE_OK &&
           cprof_http_request_apply(request, client->user_agent, &trust, call->easy,
                                    &call->headers) &&
           cprof_http_intake_attach(&call->intake, call->easy, request->answer_bytes_max);
}

struct cprof_http_call *cprof_http_start(struct cprof_http_client *client,
                                         const struct cprof_http_request *request,
                                         cprof_http_finished *finished, void *context,
                                         struct cprof_error *error)
{
    struct line *line = &client->lines[request->channel];
    struct cprof_http_call *call;

    if (!cprof_http_request_check(request, error)) {
        return NULL;
    }
    call = calloc(1, sizeof(*call));
    if (!call || !prepare(call, client, request) ||
        curl_multi_add_handle(line->multi.handle, call->easy) != CURLM_OK) {
        if (call) {
            free_call(call);
        }
        (void)cprof_fail(error, "HTTP: out of memory, or libcurl lacks an option");
        return NULL;
    }
    call->finished = finished;
    call->context = context;
    call->deadline_ns = cprof_now_ns() + request->deadline_ms * NS_PER_MS;
    put_on(line, call);
    return call;
}

void cprof_http_cancel(struct cprof_http_call *call)
{
    if (!call || call->finishing) {
        return;
    }
    take_off_early(call);
    free_call(call);
}

bool cprof_http_encode(char *encoded, size_t encoded_bytes, const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0);
    bool fits = escaped && strlen(escaped) < encoded_bytes;

    if (fits) {
        memcpy(encoded, escaped, strlen(escaped) + 1);
    }
    if (escaped) {
        explicit_bzero(escaped, strlen(escaped)); /* tokens are encoded, too */
    }
    curl_free(escaped);
    return fits;
}
