/* slow_places.c - see slow_places.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "slow_places.h"

#include <stdbool.h>
#include <string.h>

static size_t count_alike(const struct cprof_slow_request *places, size_t count,
                          const struct cprof_slow_request *request)
{
    size_t alike = 0;

    for (size_t i = 0; i < count; i++) {
        alike += places[i].start_us && strcmp(places[i].uri, request->uri) == 0 &&
                 strcmp(places[i].method, request->method) == 0;
    }
    return alike;
}

size_t cprof_slow_places_next(const struct cprof_slow_request *waiting, size_t waiting_count,
                              const struct cprof_slow_request *places, size_t count)
{
    size_t next = 0, fewest = count_alike(places, count, &waiting[0]);

    for (size_t i = 1; i < waiting_count; i++) {
        size_t alike = count_alike(places, count, &waiting[i]);

        if (alike < fewest || (alike == fewest && waiting[i].start_us > waiting[next].start_us)) {
            fewest = alike;
            next = i;
        }
    }
    return next;
}

size_t cprof_slow_places_take(const struct cprof_slow_request *places, size_t count,
                              const struct cprof_slow_request *newcomer)
{
    size_t most = 0, gives_way = count;

    for (size_t i = 0; i < count; i++) {
        size_t alike;

        if (!places[i].start_us) {
            return i;
        }
        alike = count_alike(places, count, &places[i]);
        if (alike > most || (alike == most && places[i].start_us < places[gives_way].start_us)) {
            most = alike;
            gives_way = i;
        }
    }
    if (gives_way < count && newcomer->start_us <= places[gives_way].start_us &&
        count_alike(places, count, newcomer) + 1 >= most) {
        return count;
    }
    return gives_way;
}
