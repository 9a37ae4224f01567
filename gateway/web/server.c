/* server.c - see server.h.
 *
 * libmicrohttpd waits by an epoll descriptor of its own, which the loop watches. It has timeouts
 * for silent connections only; who sends a byte now and then is ended by the sweep here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "server.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"
#include "guard.h"
#include "listener.h"
#include "request_state.h"

#define CONNECTIONS_MAX     64u
/* Beyond so many the oldest that has not asked for anything yet makes room for the next one, so
 * that a crowd of silent ones keeps nobody out. */
#define CONNECTIONS_CROWDED 48u
/* For each connection: its request's line and headers, and the head of the answer. */
#define CONNECTION_BYTES    ((size_t)32 * 1024)

#define REQUEST_SECONDS 10u
#define ANSWER_SECONDS  60u
#define SWEEP_NS        NS_PER_S

/* That the disk has for the token's file. */
#define TOKEN_NS (5 * NS_PER_S)

#define LISTEN_RETRY_NS     (NS_PER_S / 4)
#define LISTEN_RETRY_NS_MAX (8 * NS_PER_S)

struct client {
    bool used;
    int fd;
    uint64_t since_ns;
    uint64_t deadline_ns;              /* for its present step */
    struct cprof_web_request *request; /* NULL: it has sent none yet */
};

/* The token's file is read, or written, by the side thread for files. */
struct guard_job {
    struct cprof_side_job job;
    struct cprof_web_server *server; /* NULL: it does not wait any more */
    const struct cprof_config *config;
    const struct cprof_output *output;
    struct cprof_guard guard;
    bool ok;
    struct cprof_error error;
};

struct cprof_web_server {
    const struct cprof_config *config;
    struct cprof_loop *loop;
    const struct cprof_web_site *site;
    struct cprof_guard guard;
    struct guard_job *guard_job; /* NULL: the guard stands */
    struct cprof_listener listener;
    struct MHD_Daemon *daemon; /* NULL: it does not listen yet */
    struct cprof_loop_watch watch;
    struct cprof_loop_timer timer;
    struct client clients[CONNECTIONS_MAX];
    unsigned client_count;
    uint64_t retry_ns;
    bool told;    /* that it cannot listen */
    bool stirred; /* a connection came or went: who waits behind the crowd is let in next */
    bool ending;
};

static const char *const security_headers[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
    /* One request a connection: each has one deadline. */
    {"Connection", "close"},
};

/* Lets libmicrohttpd work, and finds out when it wants to again. Where connections are at their
 * most it listens no more, and looks whether it can again only when it is run the next time. */
static void run(struct cprof_web_server *server)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    uint64_t now_ns;

    server->stirred = false;
    (void)MHD_run(server->daemon);
    now_ns = cprof_now_ns();
    if (server->stirred || (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES && wait_ms == 0)) {
        server->timer.due_ns = 0;
    } else if (server->client_count > 0 && server->timer.due_ns > now_ns + SWEEP_NS) {
        server->timer.due_ns = now_ns + SWEEP_NS;
    }
}

static void ready(void *context, short events)
{
    (void)events;
    run(context);
}

/* Each step of a connection has its own time: what went before it, such as a wait for the end of a
 * window, takes nothing from it. */
static void begin_step(struct client *client, unsigned seconds)
{
    client->deadline_ns = cprof_now_ns() + seconds * NS_PER_S;
}

static void hang_up(const struct client *client)
{
    (void)shutdown(client->fd, SHUT_RDWR);
}

static bool has_gone(const struct client *client)
{
    struct pollfd fd = {.fd = client->fd, .events = POLLRDHUP};

    return poll(&fd, 1, 0) > 0;
}

static bool is_waiting(const struct client *client)
{
    return client->request && client->request->waiting;
}

/* libmicrohttpd does not look at a connection that waits. */
static void sweep(struct cprof_web_server *server, uint64_t now_ns)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        struct client *client = &server->clients[i];

        if (is_waiting(client) && has_gone(client)) {
            cprof_web_request_give_up(client->request);
            cprof_web_answer_line(client->request, MHD_HTTP_REQUEST_TIMEOUT, "the client has gone");
        } else if (is_waiting(client)) {
            cprof_web_request_look(client->request, now_ns);
        } else if (client->used && now_ns > client->deadline_ns) {
            hang_up(client);
        }
    }
}

static struct client *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static void make_room(struct cprof_web_server *server)
{
    const struct client *oldest = NULL;

    if (server->client_count < CONNECTIONS_CROWDED) {
        return;
    }
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        const struct client *client = &server->clients[i];

        if (client->used && !client->request && (!oldest || client->since_ns < oldest->since_ns)) {
            oldest = client;
        }
    }
    if (oldest) {
        hang_up(oldest);
    }
}

static void greet(struct cprof_web_server *server, struct MHD_Connection *connection,
                  void **socket_context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    make_room(server);
    for (unsigned i = 0; info && i < CONNECTIONS_MAX; i++) {
        struct client *client = &server->clients[i];

        if (!client->used) {
            *client =
                (struct client){.used = true, .fd = info->connect_fd, .since_ns = cprof_now_ns()};
            begin_step(client, REQUEST_SECONDS);
            *socket_context = client;
            server->client_count++;
            return;
        }
    }
}

static void come_and_go(void *context, struct MHD_Connection *connection, void **socket_context,
                        enum MHD_ConnectionNotificationCode what)
{
    struct cprof_web_server *server = context;
    struct client *client = *socket_context;

    server->stirred = true;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        greet(server, connection, socket_context);
    } else if (client) {
        *client = (struct client){0};
        *socket_context = NULL;
        server->client_count--;
    }
}

static void end_request(void *context, struct MHD_Connection *connection, void **request_context,
                        enum MHD_RequestTerminationCode why)
{
    struct client *client = client_of(connection);
    struct cprof_web_request *request = *request_context;

    (void)context, (void)why;
    if (client) {
        client->request = NULL;
    }
    if (request) {
        cprof_web_request_free(request);
    }
    *request_context = NULL;
}

/* The connection of an answer that came late goes on at the loop's next turn, whose sweep comes
 * before the answer is sent. */
static void resume(struct cprof_web_request *request)
{
    struct cprof_web_server *server = request->resume_context;
    struct client *client = client_of(request->connection);

    if (client) {
        begin_step(client, ANSWER_SECONDS);
    }
    request->waiting = false;
    MHD_resume_connection(request->connection);
    server->timer.due_ns = 0;
}

static void add_headers(struct MHD_Response *response, const struct cprof_web_request *request)
{
    char disposition[sizeof(request->file_name) + 64];

    for (size_t i = 0; i < sizeof(security_headers) / sizeof(security_headers[0]); i++) {
        (void)MHD_add_response_header(response, security_headers[i][0], security_headers[i][1]);
    }
    if (request->media_type) {
        (void)MHD_add_response_header(response, "Content-Type", request->media_type);
    }
    if (request->status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)MHD_add_response_header(response, "Allow", "GET, HEAD, POST");
    }
    if (request->file_name[0] != '\0') {
        (void)snprintf(disposition, sizeof(disposition), "attachment; filename=\"%s\"",
                       request->file_name);
        (void)MHD_add_response_header(response, "Content-Disposition", disposition);
    }
}

static enum MHD_Result send_answer(struct cprof_web_request *request)
{
    struct client *client = client_of(request->connection);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(request->byte_count, request->bytes, MHD_RESPMEM_MUST_FREE);
    enum MHD_Result result;

    if (!response) {
        return MHD_NO;
    }
    request->bytes = NULL; /* the response's now */
    add_headers(response, request);
    result = MHD_queue_response(request->connection, request->status, response);
    MHD_destroy_response(response);
    if (client) {
        begin_step(client, ANSWER_SECONDS);
    }
    return result;
}

static enum MHD_Result take_field(void *context, enum MHD_ValueKind kind, const char *key,
                                  const char *file_name, const char *content_type,
                                  const char *encoding, const char *data, uint64_t offset,
                                  size_t bytes)
{
    (void)kind, (void)file_name, (void)content_type, (void)encoding;
    return cprof_web_request_add_field(context, key, data, (size_t)offset, bytes) ? MHD_YES
                                                                                  : MHD_NO;
}

static const char *header(const struct cprof_web_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static bool is_too_long(const struct cprof_web_request *request)
{
    const char *length = header(request, "Content-Length");

    return length && strtoull(length, NULL, 10) > CPROF_WEB_BODY_BYTES_MAX;
}

/* Looks at the head of a request; an answer means that it is refused. */
static void check(struct cprof_web_server *server, struct cprof_web_request *request)
{
    const struct cprof_guard_question question = {
        .host = header(request, "Host"),
        .origin = header(request, "Origin"),
        .authorization = header(request, "Authorization"),
        .token = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "token"),
        .is_public = cprof_web_route_is_public(request->path),
    };
    bool is_post = strcmp(request->method, "POST") == 0;
    const char *reason = "";
    unsigned status = cprof_guard_check(&server->guard, &question, &reason);

    if (status != 0) {
        cprof_web_answer_line(request, status, "%s", reason);
    } else if (!is_post && strcmp(request->method, "GET") != 0 &&
               strcmp(request->method, "HEAD") != 0) {
        cprof_web_answer_line(request, MHD_HTTP_METHOD_NOT_ALLOWED,
                              "the methods are GET, HEAD and POST");
    } else if (is_too_long(request)) {
        cprof_web_answer_line(request, MHD_HTTP_CONTENT_TOO_LARGE,
                              "a request's body is at most %u bytes", CPROF_WEB_BODY_BYTES_MAX);
    } else if (is_post) {
        /* NULL for a body that is no form: it is read and ignored. */
        request->form = MHD_create_post_processor(request->connection, 1024, take_field, request);
    }
}

static enum MHD_Result begin_request(struct cprof_web_server *server,
                                     struct MHD_Connection *connection, const char *path,
                                     const char *method, void **request_context)
{
    struct cprof_web_request *request = calloc(1, sizeof(*request));
    struct client *client = client_of(connection);

    if (!request || !client || server->ending) {
        free(request);
        return MHD_NO;
    }
    *request = (struct cprof_web_request){.connection = connection,
                                          .method = method,
                                          .path = path,
                                          .resume = resume,
                                          .resume_context = server};
    *request_context = request;
    check(server, request);
    if (request->answered) {
        client->request = request;
        return send_answer(request);
    }
    return MHD_YES;
}

static enum MHD_Result take_body(struct cprof_web_request *request, const char *body, size_t *bytes)
{
    request->body_bytes += *bytes;
    if (request->body_bytes > CPROF_WEB_BODY_BYTES_MAX ||
        (request->form && MHD_post_process(request->form, body, *bytes) == MHD_NO)) {
        return MHD_NO; /* the connection is closed: an answer can stand behind a whole body only */
    }
    *bytes = 0;
    return MHD_YES;
}

/* libmicrohttpd's: for the head, for each part of the body, at the end, and after each resume. */
static enum MHD_Result serve(void *context, struct MHD_Connection *connection, const char *path,
                             const char *method, const char *version, const char *body,
                             size_t *body_bytes, void **request_context)
{
    struct cprof_web_server *server = context;
    struct cprof_web_request *request = *request_context;
    struct client *client = client_of(connection);

    (void)version;
    if (!request) {
        return begin_request(server, connection, path, method, request_context);
    }
    if (*body_bytes > 0) {
        return take_body(request, body, body_bytes);
    }
    if (client) {
        client->request = request;
    }
    if (!request->routed) {
        request->routed = true;
        cprof_web_route(server->site, request);
    }
    if (request->answered) {
        return send_answer(request);
    }
    request->waiting = true;
    MHD_suspend_connection(connection);
    return MHD_YES;
}

/* A path is a C string to libmicrohttpd: behind a NUL it would be cut, and another path be meant.
 */
static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

static struct MHD_Daemon *start_daemon(struct cprof_web_server *server)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, serve, server,
        MHD_OPTION_LISTEN_SOCKET, server->listener.fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_NOTIFY_CONNECTION, come_and_go,
        server, MHD_OPTION_NOTIFY_COMPLETED, end_request, server, MHD_OPTION_END);
}

static bool start(struct cprof_web_server *server, struct cprof_error *error)
{
    const union MHD_DaemonInfo *info;

    if (!cprof_listener_open(&server->listener, server->config, error)) {
        return false;
    }
    server->daemon = start_daemon(server);
    if (!server->daemon) {
        close(server->listener.fd);
        cprof_listener_forget(&server->listener);
        return cprof_fail(error, "libmicrohttpd does not start");
    }
    info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    server->watch = (struct cprof_loop_watch){
        .fd = info ? info->epoll_fd : -1, .events = POLLIN, .ready = ready, .context = server};
    if (!info || !cprof_loop_add_watch(server->loop, &server->watch)) {
        MHD_stop_daemon(server->daemon);
        server->daemon = NULL;
        cprof_listener_forget(&server->listener);
        return cprof_fail(error, "the loop has no place for the endpoint");
    }
    return true;
}

static void announce(const struct cprof_web_server *server)
{
    if (server->listener.is_local) {
        cprof_notice("the endpoint is ready: curl --unix-socket %s %sstatus", server->listener.path,
                     server->listener.url);
    } else if (server->guard.token_is_new) {
        cprof_notice("the endpoint is ready: %s?token=%s", server->listener.url,
                     server->guard.token);
    } else {
        cprof_notice(
            "the endpoint is ready: %s?token=... with the token of cloudprofiler-http-token",
            server->listener.url);
    }
}

/* The address may be a former gateway's for a moment more, or another program's until somebody
 * ends that. */
static void try_to_start(struct cprof_web_server *server, uint64_t now_ns)
{
    struct cprof_error error;

    if (start(server, &error)) {
        announce(server);
        return;
    }
    if (!server->told && server->retry_ns >= NS_PER_S) {
        server->told = true;
        cprof_log(CPROF_LOG_WARNING, "the endpoint cannot listen: %s; it is tried again quietly",
                  error.text);
    }
    server->timer.due_ns = now_ns + server->retry_ns;
    server->retry_ns =
        2 * server->retry_ns < LISTEN_RETRY_NS_MAX ? 2 * server->retry_ns : LISTEN_RETRY_NS_MAX;
}

static void take_guard(struct cprof_web_server *server, const struct cprof_guard *guard, bool ok,
                       const struct cprof_error *error)
{
    server->guard = *guard;
    if (!ok) {
        cprof_log(CPROF_LOG_WARNING, "%s", error->text);
    }
    if (guard->needs_token && guard->token[0] == '\0') {
        cprof_log(CPROF_LOG_WARNING, "there is no endpoint: there is no token");
        return;
    }
    try_to_start(server, cprof_now_ns());
}

static void open_guard(struct cprof_side_job *job)
{
    struct guard_job *opening = (struct guard_job *)job;

    opening->ok =
        cprof_guard_open(&opening->guard, opening->config, opening->output, &opening->error);
}

static void guard_is_open(struct cprof_side_job *job, bool was_worked)
{
    struct guard_job *opening = (struct guard_job *)job;
    struct cprof_web_server *server = opening->server;

    if (server && was_worked) {
        server->guard_job = NULL;
        server->timer.due_ns = CPROF_LOOP_NEVER;
        take_guard(server, &opening->guard, opening->ok, &opening->error);
    }
    cprof_guard_close(&opening->guard);
    free(opening);
}

/* Whoever needs no file has its guard at once. */
static void open_without_file(struct cprof_web_server *server, bool is_late)
{
    struct cprof_guard guard;
    struct cprof_error error;
    bool ok = cprof_guard_open_without_file(&guard, server->config, &error);

    if (is_late) {
        cprof_log(
            CPROF_LOG_WARNING,
            "the disk of the token's file does not answer: the endpoint's token is good until "
            "the next reload");
    }
    take_guard(server, &guard, ok, &error);
    cprof_guard_close(&guard);
}

static void ask_for_guard(struct cprof_web_server *server)
{
    const struct cprof_config *config = server->config;
    bool has_file = config->http_token[0] == '\0' && config->http_address[0] != '/';
    struct guard_job *opening = has_file ? calloc(1, sizeof(*opening)) : NULL;

    if (!opening) {
        open_without_file(server, false);
        return;
    }
    *opening =
        (struct guard_job){.job = {.is_urgent = true, .work = open_guard, .done = guard_is_open},
                           .server = server,
                           .config = config,
                           .output = server->site->output};
    server->guard_job = opening;
    server->timer.due_ns = cprof_now_ns() + TOKEN_NS;
    if (!cprof_side_thread_take(server->site->files, &opening->job)) {
        server->guard_job = NULL;
        free(opening);
        open_without_file(server, true);
    }
}

static void turn(void *context, uint64_t now_ns)
{
    struct cprof_web_server *server = context;

    if (server->guard_job) {
        server->guard_job->server = NULL;
        server->guard_job = NULL;
        open_without_file(server, true);
        return;
    }
    if (!server->daemon) {
        try_to_start(server, now_ns);
        return;
    }
    sweep(server, now_ns);
    run(server);
}

struct cprof_web_server *cprof_web_server_create(const struct cprof_config *config,
                                                 struct cprof_loop *loop,
                                                 const struct cprof_web_site *site,
                                                 struct cprof_error *error)
{
    struct cprof_web_server *server = calloc(1, sizeof(*server));

    if (!server) {
        cprof_fail(error, "no memory for the endpoint");
        return NULL;
    }
    *server = (struct cprof_web_server){
        .config = config, .loop = loop, .site = site, .retry_ns = LISTEN_RETRY_NS};
    server->timer =
        (struct cprof_loop_timer){.due_ns = CPROF_LOOP_NEVER, .fire = turn, .context = server};
    if (!cprof_loop_add_timer(loop, &server->timer)) {
        cprof_fail(error, "there is no place in the loop");
        free(server);
        return NULL;
    }
    ask_for_guard(server);
    return server;
}

/* libmicrohttpd does not end while connections wait. */
static void end_waiting(struct cprof_web_server *server)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        struct client *client = &server->clients[i];

        if (is_waiting(client)) {
            cprof_web_request_give_up(client->request);
            cprof_web_answer_line(client->request, MHD_HTTP_SERVICE_UNAVAILABLE,
                                  "the gateway ends");
        }
    }
}

void cprof_web_server_destroy(struct cprof_web_server *server)
{
    if (!server) {
        return;
    }
    server->ending = true;
    if (server->guard_job) {
        server->guard_job->server = NULL;
    }
    if (server->daemon) {
        end_waiting(server);
        (void)MHD_run(server->daemon);
        cprof_loop_remove_watch(server->loop, &server->watch);
        cprof_listener_forget(&server->listener);
        MHD_stop_daemon(server->daemon);
    }
    cprof_loop_remove_timer(server->loop, &server->timer);
    cprof_guard_close(&server->guard);
    free(server);
}
