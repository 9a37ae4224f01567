/* test_requests.c - see gateway/profile/requests.h: entries that a hostile worker wrote.
 *
 * sources: tests/unit/fake_log.c
 * flags: -Wl,--wrap=cprof_segment_read
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/profile/requests.h"

#include <stdatomic.h>
#include <string.h>

#include "expect.h"
#include "fake_log.h"

#define FUTURE_US UINT64_C(9000000000000000)

static struct cprof_segment segment;
static struct cprof_request_list list;

static unsigned reads;

bool __real_cprof_segment_read(const struct cprof_segment *segment, const void *from, void *to,
                               size_t bytes);
bool __wrap_cprof_segment_read(const struct cprof_segment *segment, const void *from, void *to,
                               size_t bytes);

bool __wrap_cprof_segment_read(const struct cprof_segment *read_segment, const void *from, void *to,
                               size_t bytes)
{
    reads++;
    return __real_cprof_segment_read(read_segment, from, to, bytes);
}

static struct cprof_request_entry *entry(unsigned core)
{
    return &cprof_segment_requests(&segment, 1)[core];
}

static void fill(unsigned core)
{
    entry(core)->mark = core + 1;
    entry(core)->start_us = 5;
    entry(core)->method_bytes = 3;
    entry(core)->uri_bytes = 2;
    memcpy(entry(core)->method, "GET", 3);
    memcpy(entry(core)->uri, "/x", 2);
}

static void whole_entries_are_found_by_their_mark(void)
{
    fake_segment_open(&segment, 2, CPROF_LOG_BYTES_MIN);
    for (unsigned i = 0; i < CPROF_REQUESTS_MIN; i++) {
        fill(i);
    }
    entry(6)->end_us = 4; /* it ended before it began */
    entry(0)->flags = ~(uint32_t)CPROF_REQUEST_EXCEPTED;
    entry(1)->flags = CPROF_REQUEST_EXCEPTED;
    cprof_requests_read(&list, &segment, 1);
    EXPECT(list.count == CPROF_REQUESTS_MIN - 1);
    EXPECT(strcmp(cprof_requests_find(&list, CPROF_REQUESTS_MIN)->uri, "/x") == 0);
    EXPECT(cprof_requests_find(&list, 1)->mark == 1);
    EXPECT(!cprof_requests_find(&list, 1)->is_excepted);
    EXPECT(cprof_requests_find(&list, 2)->is_excepted);
    EXPECT(!cprof_requests_find(&list, 0) && !cprof_requests_find(&list, 7));
    cprof_requests_read(&list, &segment, 0);
    EXPECT(list.count == 0);
    fake_segment_close(&segment);
}

static void what_lies_behind_the_entries_that_were_written_is_not_read(void)
{
    fake_segment_open(&segment, 2, CPROF_LOG_BYTES_MIN);
    fill(0);
    atomic_store(&entry(1)->sequence, 1); /* its writer was killed */
    fill(2);
    fill(4);
    cprof_requests_read(&list, &segment, 1);
    EXPECT(list.count == 2 && cprof_requests_find(&list, 3) && !cprof_requests_find(&list, 5));
    fake_segment_close(&segment);
}

static void of_two_with_one_mark_neither_is_named(void)
{
    fake_segment_open(&segment, 2, CPROF_LOG_BYTES_MIN);
    for (unsigned i = 0; i < 5; i++) {
        fill(i);
    }
    entry(3)->mark = 2;
    cprof_requests_read(&list, &segment, 1);
    EXPECT(list.count == 5 && !cprof_requests_find(&list, 2));
    EXPECT(cprof_requests_find(&list, 1) && cprof_requests_find(&list, 3));
    EXPECT(cprof_requests_find(&list, 5) && !cprof_requests_find(&list, 4));
    fake_segment_close(&segment);
}

static void what_makes_no_sense_is_left_out(void)
{
    fake_segment_open(&segment, 2, CPROF_LOG_BYTES_MIN);
    for (unsigned i = 0; i < 8; i++) {
        fill(i);
    }
    atomic_store(&entry(0)->sequence, 3); /* its writer was killed */
    entry(1)->mark = 0;
    entry(2)->start_us = 0;
    entry(3)->start_us = FUTURE_US;
    entry(4)->end_us = 4;
    entry(5)->method_bytes = CPROF_METHOD_BYTES_MAX + 1;
    entry(6)->uri_bytes = CPROF_URI_BYTES_MAX + 1;
    entry(7)->uri_bytes = 0;
    cprof_requests_read(&list, &segment, 1);
    EXPECT(list.count == 0);
    fake_segment_close(&segment);
}

static void a_slot_whose_entries_are_all_half_written_holds_nobody_up(void)
{
    fake_segment_open(&segment, 2, CPROF_LOG_BYTES_MIN);
    for (unsigned i = 0; i < CPROF_REQUESTS_MIN; i++) {
        fill(i);
        atomic_store(&entry(i)->sequence, 3);
    }
    atomic_store(&entry(CPROF_REQUESTS_MIN - 1)->sequence, 4);
    reads = 0;
    cprof_requests_read(&list, &segment, 1);
    EXPECT(list.count == 1 && cprof_requests_find(&list, CPROF_REQUESTS_MIN));
    EXPECT(reads < 4000);
    fake_segment_close(&segment);
}

static void texts_are_cleaned_and_full_ones_fit(void)
{
    fake_segment_open(&segment, 2, CPROF_LOG_BYTES_MIN);
    fill(0);
    memset(entry(0)->uri, '\n', CPROF_URI_BYTES_MAX);
    entry(0)->uri_bytes = CPROF_URI_BYTES_MAX;
    cprof_requests_read(&list, &segment, 1);
    EXPECT(list.count == 1 && strlen(list.requests[0].uri) == 3 * CPROF_URI_BYTES_MAX);
    EXPECT(!strchr(list.requests[0].uri, '\n'));
    fake_segment_close(&segment);
}

int main(void)
{
    RUN(whole_entries_are_found_by_their_mark);
    RUN(what_lies_behind_the_entries_that_were_written_is_not_read);
    RUN(of_two_with_one_mark_neither_is_named);
    RUN(what_makes_no_sense_is_left_out);
    RUN(a_slot_whose_entries_are_all_half_written_holds_nobody_up);
    RUN(texts_are_cleaned_and_full_ones_fit);
    cprof_requests_reset(&list);
    return 0;
}
