/* fuzz_query.c - the parameters of a request for a profile (gateway/web/query.h). The input is a
 * row of names and values, each ended by a NUL. What is taken must be within its bounds.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "../../gateway/web/query.h"
#include "../unit/expect.h"
#include "fuzz.h"

#define SECONDS_MAX   600u
#define PERIOD_MS_MAX 1000u

/* Stands for the request of request.c, which needs a connection. */
struct cprof_web_request {
    char *text; /* with a NUL behind it */
    size_t bytes;
};

void cprof_web_each_parameter(const struct cprof_web_request *request,
                              bool (*each)(void *context, const char *name, const char *value),
                              void *context)
{
    const char *at = request->text, *end = request->text + request->bytes;

    while (at < end) {
        const char *name = at, *value = name + strlen(name) + 1;

        if (value > end) {
            value = end;
        }
        if (!each(context, name, value)) {
            return;
        }
        at = value + strlen(value) + 1;
    }
}

static void check(const struct cprof_web_query *query)
{
    EXPECT(query->seconds >= 1 && query->seconds <= SECONDS_MAX);
    EXPECT(query->period_ms <= PERIOD_MS_MAX);
    EXPECT(query->format < CPROF_FORMAT_COUNT);
    EXPECT(query->filter.count <= CPROF_FILTER_TERMS_MAX);
    for (size_t i = 0; i < query->filter.count; i++) {
        EXPECT(query->filter.terms[i].key[0] != '\0' && query->filter.terms[i].value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cprof_web_request request = {.text = calloc(1, size + 1), .bytes = size};
    struct cprof_web_query query;
    struct cprof_error error = {0};

    EXPECT(request.text);
    if (size > 0) {
        memcpy(request.text, data, size);
    }
    if (cprof_web_query_read(&query, &request, &error)) {
        check(&query);
    } else {
        EXPECT(error.text[0] != '\0');
    }
    free(request.text);
    return 0;
}
