/* test_guard.c - see plugin/ground/guard.h.
 *
 * sources: plugin/ground/guard.c tests/unit/child.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/ground/guard.h"

#include <unistd.h>

#include "child.h"
#include "expect.h"

static void before_it_is_set_nothing_is_guarded(void)
{
    EXPECT(!cprof_guard_is_set() && !cprof_guard_is_reading());
    cprof_guard_clear();
    EXPECT(!cprof_guard_is_set());
}

static void the_word_is_set_and_cleared(void)
{
    EXPECT(cprof_guard_set() && cprof_guard_is_set());
    cprof_guard_clear();
    EXPECT(!cprof_guard_is_set());
    EXPECT(cprof_guard_set() && cprof_guard_is_set());
}

static void reading_is_seen_from_its_beginning_to_its_end(void)
{
    EXPECT(!cprof_guard_is_reading());
    EXPECT(cprof_guard_begin_reading() && cprof_guard_is_reading());
    cprof_guard_end_reading();
    EXPECT(!cprof_guard_is_reading() && cprof_guard_is_set());
}

static void clear_while_reading(void *unused)
{
    (void)unused;
    EXPECT(cprof_guard_set() && cprof_guard_begin_reading());
    cprof_guard_clear();
    EXPECT(cprof_guard_is_reading()); /* whoever cleared it must wait */
    cprof_guard_end_reading();
    EXPECT(!cprof_guard_is_reading());
    EXPECT(!cprof_guard_begin_reading()); /* too late, */
    EXPECT(cprof_guard_is_reading());     /* and to be ended all the same */
    cprof_guard_end_reading();
    EXPECT(!cprof_guard_is_reading());
}

static void a_reader_that_comes_too_late_is_told(void)
{
    EXPECT(child_run(clear_while_reading, NULL) == CHILD_RETURNED);
}

static void expect_cleared(void *unused)
{
    (void)unused;
    EXPECT(!cprof_guard_is_set() && !cprof_guard_is_reading());
}

static void a_child_finds_both_words_cleared(void)
{
    EXPECT(cprof_guard_begin_reading());
    EXPECT(child_run(expect_cleared, NULL) == CHILD_RETURNED);
    EXPECT(cprof_guard_is_set() && cprof_guard_is_reading());
    cprof_guard_end_reading();
}

int main(void)
{
    RUN(before_it_is_set_nothing_is_guarded);
    RUN(the_word_is_set_and_cleared);
    RUN(reading_is_seen_from_its_beginning_to_its_end);
    RUN(a_reader_that_comes_too_late_is_told);
    RUN(a_child_finds_both_words_cleared);
    return 0;
}
