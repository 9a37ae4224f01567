/* query.h - what a request for a profile asks for: format=, worker=, state=, tag.KEY=VALUE,
 * seconds=, period_ms=; of the list of profiles, before_ms=.
 *
 * Callers   the gateway's thread. Pure.
 * Memory    texts are the request's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_QUERY_H
#define CPROF_WEB_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "../profile/convert.h"
#include "request.h"

/* What Go's net/http/pprof takes. */
#define CPROF_WEB_SECONDS_DEFAULT 30u

struct cprof_web_query {
    enum cprof_format format;
    struct cprof_filter filter;
    uint32_t seconds;
    uint32_t period_ms;      /* 0: as configured */
    uint64_t before_unix_ms; /* the list has profiles that began before; UINT64_MAX: all */
};

/* False with a sentence for who asked: a parameter that is not known or out of bounds. */
bool cprof_web_query_read(struct cprof_web_query *query, const struct cprof_web_request *request,
                          struct cprof_error *error) CPROF_MUST_USE;

/* A whole number from lowest to highest, of digits alone. */
bool cprof_web_parse_number(uint64_t *number, const char *text, uint64_t lowest, uint64_t highest);

#endif
