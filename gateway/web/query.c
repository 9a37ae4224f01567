/* query.c - see query.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../askers/demand.h"

#define PERIOD_MS_MAX 1000u
#define TAG_PREFIX    "tag."
#define BEFORE_MS_MAX (UINT64_MAX / 2)

/* While the parameters are gone through. */
struct reading {
    struct cprof_web_query *query;
    struct cprof_error *error;
    bool ok;
};

bool cprof_web_parse_number(uint64_t *number, const char *text, uint64_t lowest, uint64_t highest)
{
    char *end;

    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *number >= lowest && *number <= highest;
}

static bool take_number(uint32_t *place, const char *name, const char *text, uint32_t highest,
                        struct cprof_error *error)
{
    uint64_t number;

    if (!cprof_web_parse_number(&number, text, 1, highest)) {
        return cprof_fail(error, "%s=%.40s: give a whole number from 1 to %u", name, text, highest);
    }
    *place = (uint32_t)number;
    return true;
}

static bool take_term(struct cprof_filter *filter, const char *key, const char *value,
                      struct cprof_error *error)
{
    if (key[0] == '\0' || filter->count == CPROF_FILTER_TERMS_MAX) {
        return cprof_fail(error, "give tag.KEY=VALUE, at most %u times", CPROF_FILTER_TERMS_MAX);
    }
    filter->terms[filter->count++] = (struct cprof_label_text){.key = key, .value = value};
    return true;
}

static bool take(struct cprof_web_query *query, const char *name, const char *value,
                 struct cprof_error *error)
{
    if (strcmp(name, "token") == 0 || strcmp(name, "debug") == 0) {
        return true; /* the guard's; what Go's tools may say */
    }
    if (strcmp(name, "seconds") == 0) {
        return take_number(&query->seconds, name, value, CPROF_DEMAND_SECONDS_MAX, error);
    }
    if (strcmp(name, "period_ms") == 0) {
        return take_number(&query->period_ms, name, value, PERIOD_MS_MAX, error);
    }
    if (strcmp(name, "before_ms") == 0) {
        return cprof_web_parse_number(&query->before_unix_ms, value, 1, BEFORE_MS_MAX)
                   ? true
                   : cprof_fail(error, "before_ms=%.40s: give milliseconds since 1970", value);
    }
    if (strcmp(name, "format") == 0) {
        return cprof_format_by_name(&query->format, value)
                   ? true
                   : cprof_fail(error, "format=%.40s: give pprof, collapsed, speedscope or top",
                                value);
    }
    if (strcmp(name, "worker") == 0 || strcmp(name, "state") == 0) {
        return take_term(&query->filter, name, value, error);
    }
    if (strncmp(name, TAG_PREFIX, strlen(TAG_PREFIX)) == 0) {
        return take_term(&query->filter, name + strlen(TAG_PREFIX), value, error);
    }
    return cprof_fail(error, "%.60s: there is no such parameter", name);
}

static bool take_next(void *context, const char *name, const char *value)
{
    struct reading *reading = context;

    reading->ok = take(reading->query, name, value, reading->error);
    return reading->ok;
}

bool cprof_web_query_read(struct cprof_web_query *query, const struct cprof_web_request *request,
                          struct cprof_error *error)
{
    struct reading reading = {.query = query, .error = error, .ok = true};

    *query = (struct cprof_web_query){.format = CPROF_FORMAT_PPROF,
                                      .seconds = CPROF_WEB_SECONDS_DEFAULT,
                                      .before_unix_ms = UINT64_MAX};
    cprof_web_each_parameter(request, take_next, &reading);
    return reading.ok;
}
