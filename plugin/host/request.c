/* request.c - see request.h. SIGSAFE FILE (tools/sigsafe).
 *
 * uWSGI writes these fields as plain integers and pointers; each is one aligned word, so that a
 * relaxed load sees an old or a new value.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "request.h"

extern struct uwsgi_server uwsgi;

#define PYTHON_MODIFIER 0 /* python_plugin.c; uwsgi_apps also holds apps of other languages */

/* uWSGI puts a header of 4 bytes before what buffer-size counts (core/init.c). */
#define BUFFER_BYTES ((uintptr_t)uwsgi.buffer_size + 4)

#define START_MIXER UINT64_C(0x9E3779B97F4A7C15) /* spreads the microseconds over all bits */

static uintptr_t main_state;
static uint32_t path_segments;
static const struct cprof_slow_exceptions *slow_exceptions;

void cprof_request_note_main_state(uintptr_t main_thread_state)
{
    main_state = main_thread_state;
}

/* The core while it has a request, else NULL. */
static struct uwsgi_core *busy_core_of(int worker, int core)
{
    struct uwsgi_core *found;

    if (worker < 1 || worker > uwsgi.numproc || core < 0 || core >= uwsgi.cores) {
        return NULL;
    }
    found = &uwsgi.workers[worker].cores[core];
    return __atomic_load_n(&found->in_request, __ATOMIC_RELAXED) ? found : NULL;
}

static struct uwsgi_core *busy_core(int core)
{
    return busy_core_of(uwsgi.mywid, core);
}

bool cprof_request_is_running(int core)
{
    return busy_core(core) != NULL;
}

uintptr_t cprof_request_thread_state(int core)
{
    struct uwsgi_core *busy = busy_core(core);
    const struct uwsgi_worker *worker;
    struct uwsgi_app *app;
    void *state;
    int id;

    if (!busy || uwsgi.single_interpreter) {
        return 0;
    }
    worker = &uwsgi.workers[uwsgi.mywid];
    id = __atomic_load_n(&busy->req.app_id, __ATOMIC_RELAXED);
    if (id < 0 || id >= worker->apps_cnt || id >= uwsgi.max_apps) {
        return 0;
    }
    app = &worker->apps[id];
    state = __atomic_load_n(&app->interpreter, __ATOMIC_RELAXED);
    if (app->modifier1 != PYTHON_MODIFIER || (uintptr_t)state == main_state) {
        return 0;
    }
    return (uintptr_t)(uwsgi.threads > 1 ? __atomic_load_n(&busy->ts[id], __ATOMIC_RELAXED)
                                         : state);
}

/* Requests that uWSGI does not count (do_not_account) are told apart by when they came. */
uint64_t cprof_request_stamp(int core)
{
    const struct uwsgi_core *busy = busy_core(core);
    uint64_t stamp;

    if (!busy) {
        return 0;
    }
    stamp = __atomic_load_n(&busy->requests, __ATOMIC_RELAXED) + 1;
    stamp += __atomic_load_n(&busy->req.start_of_request, __ATOMIC_RELAXED) * START_MIXER;
    return stamp ? stamp : 1;
}

void cprof_request_note_path_segments(uint32_t segments)
{
    path_segments = segments;
}

bool cprof_request_cores_share_thread(void)
{
    return uwsgi.async > 1;
}

/* A core is off the stack before its request begins, and back on it when that has ended
 * (core/async.c, plugins/gevent, plugins/asyncio). */
uint32_t cprof_request_serving_max(void)
{
    int cores = uwsgi.cores > 0 ? uwsgi.cores : 0;
    int last_free = __atomic_load_n(&uwsgi.async_queue_unused_ptr, __ATOMIC_RELAXED);

    if (uwsgi.mywid < 1 || uwsgi.mywid > uwsgi.numproc) {
        return 0;
    }
    if (uwsgi.async <= 1 || uwsgi.async != cores || !uwsgi.async_queue_unused || last_free < -1 ||
        last_free >= cores) {
        return (uint32_t)cores;
    }
    return (uint32_t)(cores - 1 - last_free);
}

/* What the request points to, if all of it lies in the core's buffer: a length may be seen that
 * belongs to another pointer. */
static const char *within_buffer(const struct uwsgi_core *core, const char *start, size_t bytes)
{
    uintptr_t low = (uintptr_t)core->buffer, high = low + BUFFER_BYTES;

    return core->buffer && (uintptr_t)start >= low && (uintptr_t)start < high &&
                   bytes <= high - (uintptr_t)start
               ? start
               : NULL;
}

static uint32_t copy(char *to, uint32_t to_bytes, const char *from, uint32_t from_bytes)
{
    uint32_t bytes = from_bytes < to_bytes ? from_bytes : to_bytes;

    memcpy(to, from, bytes);
    return bytes;
}

static uint32_t copy_field(const struct uwsgi_core *core, char *const *text, const uint16_t *bytes,
                           char *to, uint32_t to_bytes)
{
    uint32_t length = __atomic_load_n(bytes, __ATOMIC_RELAXED);
    const char *start = within_buffer(core, __atomic_load_n(text, __ATOMIC_RELAXED), length);

    return start ? copy(to, to_bytes, start, length) : 0;
}

/* "/a/b/c" has three segments; what does not start with "/" has an empty one before it. */
static uint32_t keep_segments(const char *path, uint32_t bytes)
{
    uint32_t seen = 0;

    for (uint32_t i = 0; i < bytes; i++) {
        if (path[i] == '?') {
            return i; /* not parsed, or escaped by the client: no secret of a query is kept */
        }
        if (path[i] == '/' && seen++ == path_segments) {
            return i;
        }
    }
    return bytes;
}

/* "[::1]:8000" and "name:8000" end before the port. */
static uint32_t without_port(const char *host, uint32_t bytes)
{
    for (uint32_t i = bytes; i > 0; i--) {
        if (host[i - 1] == ':') {
            return i - 1;
        }
        if (host[i - 1] < '0' || host[i - 1] > '9') {
            break;
        }
    }
    return bytes;
}

static uint32_t copy_mount(const struct uwsgi_core *core, char *to, uint32_t to_bytes)
{
    const struct uwsgi_worker *worker = &uwsgi.workers[uwsgi.mywid];
    int id = __atomic_load_n(&core->req.app_id, __ATOMIC_RELAXED);
    uint32_t bytes;

    if (id < 0 || id >= worker->apps_cnt || id >= uwsgi.max_apps) {
        return 0;
    }
    bytes = __atomic_load_n(&worker->apps[id].mountpoint_len, __ATOMIC_RELAXED);
    return bytes > 0 ? copy(to, to_bytes, worker->apps[id].mountpoint, bytes)
                     : copy(to, to_bytes, "/", 1);
}

uint32_t cprof_request_text(int core, enum cprof_tag_bit part, char *to, uint32_t to_bytes)
{
    const struct uwsgi_core *busy = busy_core(core);
    const struct wsgi_request *request = busy ? &busy->req : NULL;

    if (!busy) {
        return 0;
    }
    switch (part) {
    case CPROF_TAG_METHOD:
        return copy_field(busy, &request->method, &request->method_len, to, to_bytes);
    case CPROF_TAG_HOST:
        return without_port(to, copy_field(busy, &request->host, &request->host_len, to, to_bytes));
    case CPROF_TAG_PATH:
        return keep_segments(
            to, copy_field(busy, &request->path_info, &request->path_info_len, to, to_bytes));
    case CPROF_TAG_MOUNT:
        return copy_mount(busy, to, to_bytes);
    default:
        return 0;
    }
}

uint64_t cprof_request_start_us(int core)
{
    const struct uwsgi_core *busy = busy_core(core);

    return busy ? __atomic_load_n(&busy->req.start_of_request, __ATOMIC_RELAXED) : 0;
}

uint32_t cprof_request_uri(int core, char *to, uint32_t to_bytes)
{
    const struct uwsgi_core *busy = busy_core(core);
    uint32_t bytes = busy ? copy_field(busy, &busy->req.uri, &busy->req.uri_len, to, to_bytes) : 0;

    for (uint32_t i = 0; i < bytes; i++) {
        if (to[i] == '?') {
            return i; /* queries hold secrets */
        }
    }
    return bytes;
}

void cprof_request_note_slow_exceptions(const struct cprof_slow_exceptions *exceptions)
{
    slow_exceptions = exceptions;
}

static bool has_excepted_path(const struct uwsgi_core *core)
{
    const struct wsgi_request *request = &core->req;
    uint32_t bytes = __atomic_load_n(&request->uri_len, __ATOMIC_RELAXED);
    const char *uri = within_buffer(core, __atomic_load_n(&request->uri, __ATOMIC_RELAXED), bytes);

    return uri && slow_exceptions && cprof_slow_exceptions_cover(slow_exceptions, uri, bytes);
}

/* The value of a variable of the request, as HTTP_ACCEPT, or NULL. uWSGI keeps names and values by
 * turns (core/protocol.c). */
static const char *find_variable(const struct uwsgi_core *core, const char *name, size_t name_bytes,
                                 uint32_t *bytes)
{
    int count = __atomic_load_n(&core->req.var_cnt, __ATOMIC_RELAXED);

    count = core->hvec && count < uwsgi.vec_size ? count : 0;
    for (int i = 0; i + 1 < count; i += 2) {
        const struct iovec *key = &core->hvec[i], *value = &core->hvec[i + 1];
        size_t value_bytes = __atomic_load_n(&value->iov_len, __ATOMIC_RELAXED);
        const char *text;

        if (__atomic_load_n(&key->iov_len, __ATOMIC_RELAXED) != name_bytes) {
            continue;
        }
        text = within_buffer(core, __atomic_load_n(&key->iov_base, __ATOMIC_RELAXED), name_bytes);
        if (text && memcmp(text, name, name_bytes) == 0) {
            *bytes = value_bytes < UINT16_MAX ? (uint32_t)value_bytes : UINT16_MAX;
            return within_buffer(core, __atomic_load_n(&value->iov_base, __ATOMIC_RELAXED),
                                 value_bytes);
        }
    }
    return NULL;
}

static bool wants_events(const struct uwsgi_core *core)
{
    static const char name[] = "HTTP_ACCEPT";
    uint32_t bytes;
    const char *accept = find_variable(core, name, sizeof(name) - 1, &bytes);

    return accept && cprof_accepts_event_stream(accept, bytes);
}

/* uWSGI makes no websocket of a request without this header (core/websockets.c). */
static bool is_websocket(const struct uwsgi_core *core)
{
    return __atomic_load_n(&core->req.http_sec_websocket_key_len, __ATOMIC_RELAXED) > 0;
}

bool cprof_request_is_excepted_in(int worker, int core)
{
    const struct uwsgi_core *busy = busy_core_of(worker, core);

    return busy && (is_websocket(busy) || has_excepted_path(busy) || wants_events(busy));
}

bool cprof_request_is_excepted(int core)
{
    return cprof_request_is_excepted_in(uwsgi.mywid, core);
}
