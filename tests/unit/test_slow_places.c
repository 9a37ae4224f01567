/* test_slow_places.c - see gateway/askers/slow_places.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/askers/slow_places.h"

#include "expect.h"

#define PLACES 4u

static struct cprof_slow_request places[PLACES];

static void fill(size_t place, uint64_t start_us, const char *uri)
{
    places[place] = (struct cprof_slow_request){start_us, "GET", uri};
}

static void begin(void)
{
    for (size_t i = 0; i < PLACES; i++) {
        fill(i, 0, "");
    }
}

static size_t take(uint64_t start_us, const char *uri)
{
    const struct cprof_slow_request newcomer = {start_us, "GET", uri};

    return cprof_slow_places_take(places, PLACES, &newcomer);
}

static void a_free_place_is_taken_first(void)
{
    begin();
    EXPECT(take(10, "/a") == 0);
    fill(0, 10, "/a");
    EXPECT(take(5, "/a") == 1);
}

static void of_the_uri_with_most_places_the_longest_running_gives_way(void)
{
    begin();
    fill(0, 10, "/report");
    fill(1, 40, "/poll");
    fill(2, 30, "/poll");
    fill(3, 20, "/other");
    EXPECT(take(50, "/new") == 2);
    EXPECT(take(50, "/poll") == 2);
    EXPECT(take(50, "/report") == 2);
}

static void requests_of_another_method_are_others(void)
{
    begin();
    fill(0, 10, "/a");
    fill(1, 20, "/b");
    fill(2, 30, "/b");
    fill(3, 40, "/b");
    places[3].method = places[2].method = "POST";
    EXPECT(take(50, "/c") == 2);
}

static void among_different_ones_the_youngest_finding_wins(void)
{
    begin();
    fill(0, 30, "/ws/1");
    fill(1, 10, "/ws/2");
    fill(2, 20, "/ws/3");
    fill(3, 40, "/ws/4");
    EXPECT(take(50, "/ws/5") == 1);
    EXPECT(take(11, "/ws/5") == 1);
    EXPECT(take(10, "/ws/5") == PLACES && take(5, "/ws/5") == PLACES);
}

static void an_older_one_wins_against_a_crowd(void)
{
    begin();
    for (size_t i = 0; i < PLACES; i++) {
        fill(i, 20 + i, "/poll");
    }
    EXPECT(take(10, "/report") == 0);
    EXPECT(take(10, "/poll") == PLACES);
    fill(3, 30, "/report");
    EXPECT(take(10, "/report") == 0); /* two of each then */
    fill(2, 31, "/report");
    EXPECT(take(10, "/report") == PLACES);
}

static void who_has_none_alike_in_places_is_served_first_and_then_the_youngest(void)
{
    const struct cprof_slow_request waiting[] = {
        {60, "GET", "/poll"}, {50, "GET", "/report"}, {70, "GET", "/poll"}, {40, "GET", "/report"}};

    begin();
    EXPECT(cprof_slow_places_next(waiting, 4, places, PLACES) == 2);
    fill(0, 10, "/poll");
    EXPECT(cprof_slow_places_next(waiting, 4, places, PLACES) == 1);
    fill(1, 10, "/report");
    fill(2, 10, "/report");
    EXPECT(cprof_slow_places_next(waiting, 4, places, PLACES) == 2);
    EXPECT(cprof_slow_places_next(waiting, 1, places, PLACES) == 0);
}

int main(void)
{
    RUN(a_free_place_is_taken_first);
    RUN(of_the_uri_with_most_places_the_longest_running_gives_way);
    RUN(requests_of_another_method_are_others);
    RUN(among_different_ones_the_youngest_finding_wins);
    RUN(an_older_one_wins_against_a_crowd);
    RUN(who_has_none_alike_in_places_is_served_first_and_then_the_youngest);
    return 0;
}
