/* route_tag.h - the action of uWSGI's internal routing that sets a tag for the request:
 *
 *     route = ^/users/([0-9]+)/ cloudprofiler-tag:route=/users/:id
 *
 * The value may contain what routing translates: $1 and ${VAR}. The action sets the tag and goes
 * on with the next route.
 *
 * Callers   registering: on_load, before uWSGI parses routes; in a configuration file routes stand
 *           below the line that loads the plugin. The action: the thread of the request's core.
 * Refusal   a key or a syntax that is not accepted ends the start (option_values.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_ROUTE_TAG_H
#define CPROF_ROUTE_TAG_H

#include <stddef.h>
#include <stdint.h>

/* Who keeps the tags. */
struct cprof_route_tag_hooks {
    uint32_t (*key)(const char *key, size_t key_bytes); /* its number; 0: no more are accepted */
    void (*set)(int core, uint64_t stamp, uint32_t key, const char *value, size_t value_bytes);
};

/* Does nothing where uWSGI was built without routing. */
void cprof_route_tag_register(const struct cprof_route_tag_hooks *wanted);

#endif
