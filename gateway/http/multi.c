/* multi.c - see multi.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "multi.h"

#include <poll.h>
#include <stddef.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"

_Static_assert(CPROF_HTTP_MULTI_WATCHES >= 3 * CPROF_HTTP_CONNECTIONS_MAX,
               "each connection has its watches");

static void set_timer(struct cprof_http_multi *multi)
{
    uint64_t due_ns = multi->libcurl_due_ns;

    multi->timer.due_ns = due_ns < multi->wake_ns ? due_ns : multi->wake_ns;
}

/* Lets libcurl work. It must never be called from within one of its own callbacks: those only take
 * notes. */
static void act(struct cprof_http_multi *multi, curl_socket_t fd, int events)
{
    int running;

    (void)curl_multi_socket_action(multi->handle, fd, events, &running);
    multi->turned(multi->context, cprof_now_ns());
}

static void on_ready(void *context, short events)
{
    const struct cprof_http_multi_watch *place = context;
    int action = 0;

    /* A connection that the other side closed is read to its end. */
    action |= events & (POLLIN | POLLHUP | POLLERR) ? CURL_CSELECT_IN : 0;
    action |= events & POLLOUT ? CURL_CSELECT_OUT : 0;
    action |= events & (POLLERR | POLLNVAL) ? CURL_CSELECT_ERR : 0;
    act(place->multi, place->watch.fd, action);
}

static void on_time(void *context, uint64_t now_ns)
{
    struct cprof_http_multi *multi = context;
    bool libcurl_is_due = multi->libcurl_due_ns <= now_ns;

    if (libcurl_is_due) {
        multi->libcurl_due_ns = CPROF_LOOP_NEVER;
    }
    set_timer(multi); /* `wake_ns` stays due until the owner sets another */
    if (libcurl_is_due) {
        act(multi, CURL_SOCKET_TIMEOUT, 0);
    } else {
        multi->turned(multi->context, now_ns);
    }
}

static int note_time(CURLM *handle, long timeout_ms, void *context)
{
    struct cprof_http_multi *multi = context;

    (void)handle;
    multi->libcurl_due_ns =
        timeout_ms < 0 ? CPROF_LOOP_NEVER : cprof_now_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    set_timer(multi);
    return 0;
}

static struct cprof_http_multi_watch *find_place(struct cprof_http_multi *multi, int fd)
{
    for (size_t i = 0; i < CPROF_HTTP_MULTI_WATCHES; i++) {
        if (multi->watches[i].watch.fd == fd) {
            return &multi->watches[i];
        }
    }
    return NULL;
}

static void release(struct cprof_http_multi *multi, struct cprof_http_multi_watch *place)
{
    cprof_loop_remove_watch(multi->loop, &place->watch);
    place->watch.fd = -1;
}

/* The place of a socket that libcurl wants to have watched; NULL: there is none left. */
static struct cprof_http_multi_watch *place_for(struct cprof_http_multi *multi, int fd)
{
    struct cprof_http_multi_watch *place = find_place(multi, fd);

    if (place) {
        return place;
    }
    place = find_place(multi, -1);
    if (!place || !cprof_loop_add_watch(multi->loop, &place->watch)) {
        return NULL;
    }
    place->watch.fd = fd;
    return place;
}

static int note_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
    struct cprof_http_multi *multi = context;
    struct cprof_http_multi_watch *place;

    (void)easy, (void)socket_context;
    if (what == CURL_POLL_REMOVE || what == CURL_POLL_NONE) {
        place = find_place(multi, fd);
        if (place) {
            release(multi, place);
        }
        return 0;
    }
    place = place_for(multi, fd);
    if (!place) {
        /* An error returned here would end this multi handle for ever. */
        multi->starved = true;
        return 0;
    }
    place->watch.events =
        (short)((what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0));
    return 0;
}

static bool set_up(struct cprof_http_multi *multi, long connections_max)
{
    CURLM *handle = multi->handle;

    return curl_multi_setopt(handle, CURLMOPT_SOCKETFUNCTION, note_socket) == CURLM_OK &&
           curl_multi_setopt(handle, CURLMOPT_SOCKETDATA, multi) == CURLM_OK &&
           curl_multi_setopt(handle, CURLMOPT_TIMERFUNCTION, note_time) == CURLM_OK &&
           curl_multi_setopt(handle, CURLMOPT_TIMERDATA, multi) == CURLM_OK &&
           curl_multi_setopt(handle, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections_max) == CURLM_OK &&
           curl_multi_setopt(handle, CURLMOPT_MAXCONNECTS, connections_max) == CURLM_OK;
}

bool cprof_http_multi_open(struct cprof_http_multi *multi, struct cprof_loop *loop,
                           long connections_max, void (*turned)(void *context, uint64_t now_ns),
                           void *context, struct cprof_error *error)
{
    *multi = (struct cprof_http_multi){
        .loop = loop,
        .libcurl_due_ns = CPROF_LOOP_NEVER,
        .wake_ns = CPROF_LOOP_NEVER,
        .turned = turned,
        .context = context,
        .timer = {.due_ns = CPROF_LOOP_NEVER, .fire = on_time, .context = multi},
    };
    for (size_t i = 0; i < CPROF_HTTP_MULTI_WATCHES; i++) {
        struct cprof_http_multi_watch *place = &multi->watches[i];

        place->watch = (struct cprof_loop_watch){.fd = -1, .ready = on_ready, .context = place};
        place->multi = multi;
    }
    if (!cprof_loop_add_timer(loop, &multi->timer)) {
        return cprof_fail(error, "HTTP: the loop has no room for another timer");
    }
    multi->handle = curl_multi_init();
    if (!multi->handle || !set_up(multi, connections_max)) {
        cprof_http_multi_close(multi);
        return cprof_fail(error, "HTTP: libcurl cannot be set up");
    }
    return true;
}

void cprof_http_multi_close(struct cprof_http_multi *multi)
{
    if (!multi->loop) {
        return;
    }
    (void)curl_multi_cleanup(multi->handle); /* NULL is refused and does no harm */
    for (size_t i = 0; i < CPROF_HTTP_MULTI_WATCHES; i++) {
        if (multi->watches[i].watch.fd >= 0) {
            release(multi, &multi->watches[i]);
        }
    }
    cprof_loop_remove_timer(multi->loop, &multi->timer);
    *multi = (struct cprof_http_multi){0};
}

void cprof_http_multi_wake(struct cprof_http_multi *multi, uint64_t wake_ns)
{
    multi->wake_ns = wake_ns;
    set_timer(multi);
}
