/* test_hold.c - see gateway/sinks/hold.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/sinks/hold.h"

#include <stddef.h>

#include "expect.h"

static unsigned given_back;

static void give_back(const struct cprof_held *held)
{
    EXPECT(held->context == &given_back && held->handle == 3 && held->number == 4);
    given_back++;
}

static struct cprof_hold *make(void)
{
    const struct cprof_held held = {
        .give_back = give_back, .context = &given_back, .handle = 3, .number = 4};
    struct cprof_hold *hold = cprof_hold_create(&held);

    EXPECT(hold);
    given_back = 0;
    return hold;
}

static void a_window_is_given_back_by_the_last_who_lets_it_go(void)
{
    struct cprof_hold *hold = make();

    cprof_hold_keep(hold);
    cprof_hold_keep(hold);
    cprof_hold_let_go(hold, true);
    cprof_hold_let_go(hold, true);
    EXPECT(given_back == 0);
    cprof_hold_let_go(hold, true);
    EXPECT(given_back == 1);
}

static void a_window_of_which_something_is_not_written_is_left_to_the_next_gateway(void)
{
    struct cprof_hold *hold = make();

    cprof_hold_keep(hold);
    cprof_hold_let_go(hold, false);
    cprof_hold_let_go(hold, true);
    EXPECT(given_back == 0);
}

static void no_hold_is_fine(void)
{
    cprof_hold_keep(NULL);
    cprof_hold_let_go(NULL, true);
}

int main(void)
{
    RUN(a_window_is_given_back_by_the_last_who_lets_it_go);
    RUN(a_window_of_which_something_is_not_written_is_left_to_the_next_gateway);
    RUN(no_hold_is_fine);
    return 0;
}
