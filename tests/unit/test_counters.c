/* test_counters.c - see shared/segment/counters.h and figures.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../shared/segment/counters.h"

#include <string.h>

#include "../../shared/segment/figures.h"
#include "expect.h"

static void every_counter_that_is_shown_as_a_metric_has_a_key_for_the_status(void)
{
    for (unsigned i = 0; i < CPROF_COUNTER_COUNT; i++) {
        const struct cprof_counter_text text = cprof_counter_text(i);

        EXPECT(!text.meaning || text.key);
        EXPECT(!text.note || text.title);
    }
}

static void every_reason_for_a_miss_has_a_word_and_a_metric(void)
{
    for (unsigned i = 0; i < CPROF_MISS_COUNT; i++) {
        const struct cprof_counter_text text = cprof_counter_text(CPROF_COUNTER_MISSED + i);

        EXPECT(text.key && text.metric && text.meaning);
        EXPECT(strcmp(text.metric + strlen("misses_"), cprof_miss_name(i)) == 0);
    }
    EXPECT(strcmp(cprof_miss_name(CPROF_MISS_STACK), "stack") == 0);
    EXPECT(strcmp(cprof_miss_name(CPROF_MISS_COUNT), "unknown") == 0);
}

static void no_two_figures_have_the_same_name(void)
{
    for (unsigned i = 0; i < CPROF_FIGURE_COUNT; i++) {
        const char *name = cprof_figure_text((enum cprof_figure)i).name;

        for (unsigned j = 0; name && j < i; j++) {
            const char *other = cprof_figure_text((enum cprof_figure)j).name;

            EXPECT(!other || strcmp(name, other) != 0);
        }
    }
}

static void what_is_no_counter_and_no_figure_has_no_text(void)
{
    EXPECT(!cprof_counter_text(CPROF_COUNTER_COUNT).key);
    EXPECT(!cprof_figure_text(CPROF_FIGURE_COUNT).name);
    EXPECT(!cprof_figure_text(CPROF_FIGURE_COUNTERS + CPROF_COUNTER_PERF_REFUSED).name);
}

int main(void)
{
    every_counter_that_is_shown_as_a_metric_has_a_key_for_the_status();
    every_reason_for_a_miss_has_a_word_and_a_metric();
    no_two_figures_have_the_same_name();
    what_is_no_counter_and_no_figure_has_no_text();
    return 0;
}
