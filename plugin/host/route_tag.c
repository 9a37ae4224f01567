/* route_tag.c - see route_tag.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "route_tag.h"

#include "option_values.h"
#include "request.h"

#ifdef UWSGI_ROUTING

#define ACTION          "cloudprofiler-tag"
#define SYNTAX_ACCEPTED ACTION ":KEY=VALUE, with a key of " CPROF_TAG_KEY_ACCEPTED
#define KEY_ACCEPTED    "at most 16 different keys of tags"

static struct cprof_route_tag_hooks hooks;

static int set_tag(struct wsgi_request *request, struct uwsgi_route *route)
{
    char **subject = (char **)(void *)((char *)request + route->subject);
    const uint16_t *subject_bytes =
        (const uint16_t *)(void *)((char *)request + route->subject_len);
    int core = request->async_id;
    struct uwsgi_buffer *value = uwsgi_routing_translate(request, route, *subject, *subject_bytes,
                                                         route->data2, route->data2_len);

    if (!value) {
        return UWSGI_ROUTE_BREAK;
    }
    if (value->pos > 0) {
        hooks.set(core, cprof_request_stamp(core), (uint32_t)route->custom, value->buf, value->pos);
    }
    uwsgi_buffer_destroy(value);
    return UWSGI_ROUTE_NEXT;
}

static int configure(struct uwsgi_route *route, char *argument)
{
    char *equals = strchr(argument, '=');
    char key[CPROF_TAG_KEY_BYTES + 1];
    uint32_t number;

    if (!equals || equals[1] == '\0' || (size_t)(equals - argument) >= sizeof(key)) {
        cprof_option_refuse("route " ACTION, argument, SYNTAX_ACCEPTED);
    }
    (void)snprintf(key, sizeof(key), "%.*s", (int)(equals - argument), argument);
    if (!cprof_option_is_tag_key(key) || cprof_option_is_own_tag(key)) {
        cprof_option_refuse("route " ACTION, argument, SYNTAX_ACCEPTED);
    }
    number = hooks.key(key, strlen(key));
    if (number == 0) {
        cprof_option_refuse("route " ACTION, argument, KEY_ACCEPTED);
    }
    route->func = set_tag;
    route->custom = number;
    route->data2 = equals + 1;
    route->data2_len = strlen(equals + 1);
    return 0;
}

void cprof_route_tag_register(const struct cprof_route_tag_hooks *wanted)
{
    static char action[] = ACTION;

    hooks = *wanted;
    (void)uwsgi_register_router(action, configure);
}

#else

void cprof_route_tag_register(const struct cprof_route_tag_hooks *wanted)
{
    (void)wanted;
}

#endif
