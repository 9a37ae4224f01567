/* test_pending.c - see gateway/cloud/pending.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/cloud/pending.h"

#include <stdlib.h>
#include <string.h>

#include "expect.h"

static char ticket[] = "ticket, and what is not its";

static bool add(struct cprof_pending_list *list, size_t byte_count)
{
    const struct cprof_pending item = {
        .handle = -1, .ticket = ticket, .bytes = calloc(1, byte_count), .byte_count = byte_count};
    bool is_added;

    EXPECT(item.bytes);
    is_added = cprof_pending_add(list, &item, strlen("ticket"));
    free(item.bytes);
    return is_added;
}

static void the_oldest_comes_first_with_its_own_ticket(void)
{
    struct cprof_pending_list list = {.count = 0};

    EXPECT(add(&list, 3) && add(&list, 5));
    EXPECT(list.items[0].byte_count == 3 && strcmp(list.items[0].ticket, "ticket") == 0);
    cprof_pending_remove_first(&list);
    EXPECT(list.count == 1 && list.items[0].byte_count == 5 && list.byte_count == 5);
    cprof_pending_reset(&list);
    EXPECT(list.count == 0 && list.byte_count == 0);
}

static void more_than_there_is_room_for_are_refused(void)
{
    struct cprof_pending_list list = {.count = 0};

    for (unsigned i = 0; i < CPROF_PENDING_MAX; i++) {
        EXPECT(add(&list, 1));
    }
    EXPECT(!add(&list, 1));
    cprof_pending_remove_first(&list);
    EXPECT(add(&list, 1));
    cprof_pending_reset(&list);
}

static void bytes_are_bounded_together_and_one_alone_is_taken(void)
{
    struct cprof_pending_list list = {.count = 0};

    EXPECT(add(&list, CPROF_PENDING_BYTES_MAX - 1) && add(&list, 1) && !add(&list, 1));
    cprof_pending_reset(&list);
    EXPECT(add(&list, (size_t)CPROF_PENDING_BYTES_MAX + 1) && !add(&list, 1));
    cprof_pending_reset(&list);
}

int main(void)
{
    RUN(the_oldest_comes_first_with_its_own_ticket);
    RUN(more_than_there_is_room_for_are_refused);
    RUN(bytes_are_bounded_together_and_one_alone_is_taken);
    return 0;
}
