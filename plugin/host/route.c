/* route.c - see route.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "route.h"

#include <stdatomic.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"
#include "commands.h"
#include "option_values.h"

#ifdef UWSGI_ROUTING

#define SECONDS_COMMON 30u
#define FRESH_S        60u /* a profile is served for so long, and for twice its length */
#define LATE_S         1u  /* it is finished so long after its end at most, as a rule */

static struct {
    struct cprof_commands *commands; /* NULL: nothing is profiled */
    const struct cprof_results *results;
} room;

/* What a route asks for, in struct uwsgi_route.custom. */
static uint64_t pack(enum cprof_kind kind, uint32_t seconds)
{
    return (uint64_t)kind << 32 | seconds;
}

static void add_header(struct wsgi_request *request, const char *name, const char *value)
{
    (void)uwsgi_response_add_header(request, (char *)name, (uint16_t)strlen(name), (char *)value,
                                    (uint16_t)strlen(value));
}

static void answer(struct wsgi_request *request, const char *status, const char *type,
                   const char *body, size_t body_bytes)
{
    if (uwsgi_response_prepare_headers(request, (char *)status, (uint16_t)strlen(status)) == 0) {
        add_header(request, "Content-Type", type);
        add_header(request, "Cache-Control", "no-store");
        (void)uwsgi_response_add_content_length(request, body_bytes);
        (void)uwsgi_response_write_body_do(request, (char *)body, body_bytes);
    }
}

static void answer_text(struct wsgi_request *request, const char *status, const char *text)
{
    answer(request, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void answer_later(struct wsgi_request *request, uint64_t wait_ns)
{
    char seconds[24], text[96];

    (void)snprintf(seconds, sizeof(seconds), "%llu",
                   (unsigned long long)((wait_ns + NS_PER_S - 1) / NS_PER_S));
    (void)snprintf(text, sizeof(text), "A profile is being taken. Ask again in %s seconds.\n",
                   seconds);
    if (uwsgi_response_prepare_headers(request, (char *)"202 Accepted", 12) == 0) {
        add_header(request, "Content-Type", "text/plain; charset=utf-8");
        add_header(request, "Cache-Control", "no-store");
        add_header(request, "Retry-After", seconds);
        (void)uwsgi_response_add_content_length(request, strlen(text));
        (void)uwsgi_response_write_body_do(request, text, strlen(text));
    }
}

/* Serves a profile of this kind, at least as long as asked for, that is not stale. */
static bool serve_finished(struct wsgi_request *request, enum cprof_kind kind, uint32_t seconds,
                           uint64_t now_ns)
{
    uint64_t fresh_ns = (2 * seconds > FRESH_S ? 2 * seconds : FRESH_S) * NS_PER_S;
    struct cprof_result head;
    uint8_t *bytes;

    if (!cprof_results_copy(room.results, kind, now_ns > fresh_ns ? now_ns - fresh_ns : 0, &head,
                            &bytes)) {
        return false;
    }
    if (head.duration_ns < seconds * NS_PER_S / 10 * 9) {
        free(bytes);
        return false;
    }
    answer(request, "200 OK", "application/octet-stream", (const char *)bytes, head.byte_count);
    free(bytes);
    return true;
}

/* Orders a profile unless another request has done so; the time in shared memory is checked. */
static bool order(enum cprof_kind kind, uint32_t seconds, uint64_t now_ns, uint64_t *until_ns)
{
    const struct cprof_command command = {.name = CPROF_COMMAND_PROFILE,
                                          .origin = CPROF_ORIGIN_ROUTE,
                                          .kinds = kind,
                                          .value = seconds};
    _Atomic uint64_t *shared = &room.commands->route_until_ns[kind == CPROF_KIND_CPU ? 0 : 1];
    uint64_t standing_ns = atomic_load(shared);

    *until_ns = now_ns + (seconds + LATE_S) * NS_PER_S;
    if (standing_ns > now_ns && standing_ns <= *until_ns) {
        *until_ns = standing_ns;
        return true;
    }
    if (!atomic_compare_exchange_strong(shared, &standing_ns, *until_ns)) {
        return true; /* another request was faster */
    }
    if (cprof_host_commands_send(&command)) {
        return true;
    }
    atomic_store(shared, 0);
    return false;
}

static int serve(struct wsgi_request *request, struct uwsgi_route *route)
{
    enum cprof_kind kind = (enum cprof_kind)(route->custom >> 32);
    uint32_t seconds = (uint32_t)route->custom;
    uint64_t now_ns = cprof_now_ns(), until_ns;

    if (!room.commands) {
        answer_text(request, "503 Service Unavailable", "This server profiles nothing.\n");
    } else if (atomic_load(&room.results->off)) {
        answer_text(request, "503 Service Unavailable", "Profiling is switched off.\n");
    } else if (!serve_finished(request, kind, seconds, now_ns)) {
        if (order(kind, seconds, now_ns, &until_ns)) {
            answer_later(request, until_ns - now_ns);
        } else {
            answer_text(request, "503 Service Unavailable", "Too many commands wait already.\n");
        }
    }
    return UWSGI_ROUTE_BREAK;
}

/* Bad arguments are refused at the start, as options are. */
static int configure(struct uwsgi_route *route, char *arguments)
{
    char *seconds_text = NULL, *kind_text = NULL;
    uint64_t seconds = SECONDS_COMMON;
    enum cprof_kind kind = CPROF_KIND_CPU;

    if (arguments[0] != '\0' &&
        uwsgi_kvlist_parse(arguments, strlen(arguments), ',', '=', "seconds", &seconds_text, "kind",
                           &kind_text, NULL)) {
        cprof_option_refuse("cloudprofiler-profile", arguments, "seconds=30,kind=wall");
    }
    if (seconds_text &&
        !cprof_option_parse_number(seconds_text, 1, CPROF_PROFILE_SECONDS_MAX, &seconds)) {
        cprof_option_refuse("cloudprofiler-profile:seconds", seconds_text, "1 to 600 seconds");
    }
    if (kind_text && strcmp(kind_text, "wall") == 0) {
        kind = CPROF_KIND_WALL;
    } else if (kind_text && strcmp(kind_text, "cpu") != 0) {
        cprof_option_refuse("cloudprofiler-profile:kind", kind_text, "cpu or wall");
    }
    free(seconds_text);
    free(kind_text);
    route->func = serve;
    route->custom = pack(kind, (uint32_t)seconds);
    return 0;
}

void cprof_route_register(void)
{
    static char name[] = "cloudprofiler-profile";

    (void)uwsgi_register_router(name, configure);
}

void cprof_route_start(struct cprof_commands *commands, const struct cprof_results *results)
{
    room.commands = commands;
    room.results = results;
}

#else

void cprof_route_register(void)
{
}

void cprof_route_start(struct cprof_commands *commands, const struct cprof_results *results)
{
    (void)commands, (void)results;
}

#endif
