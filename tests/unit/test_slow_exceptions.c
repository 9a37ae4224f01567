/* test_slow_exceptions.c - see plugin/host/slow_exceptions.h.
 *
 * sources: plugin/host/slow_exceptions.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/host/slow_exceptions.h"

#include <stdlib.h>
#include <string.h>

#include "expect.h"

static struct cprof_slow_exceptions exceptions;

static void begin(void)
{
    memset(&exceptions, 0, sizeof(exceptions));
}

static bool add(const char *prefix)
{
    return cprof_slow_exceptions_add(&exceptions, prefix);
}

/* The bytes alone are given, without an end behind them. */
static bool covers(const char *path)
{
    uint32_t bytes = (uint32_t)strlen(path);
    char *copy = malloc(bytes > 0 ? bytes : 1);
    bool is_covered;

    EXPECT(copy);
    memcpy(copy, path, bytes);
    is_covered = cprof_slow_exceptions_cover(&exceptions, copy, bytes);
    free(copy);
    return is_covered;
}

static bool is_stream(const char *accept)
{
    uint32_t bytes = (uint32_t)strlen(accept);
    char *copy = malloc(bytes > 0 ? bytes : 1);
    bool answer;

    EXPECT(copy);
    memcpy(copy, accept, bytes);
    answer = cprof_accepts_event_stream(copy, bytes);
    free(copy);
    return answer;
}

static void paths_that_begin_with_a_prefix_are_covered(void)
{
    begin();
    EXPECT(!covers("/poll/1"));
    EXPECT(add("/poll/") && add("/socket.io"));

    EXPECT(covers("/poll/1") && covers("/poll/") && covers("/poll/?since=1"));
    EXPECT(covers("/socket.io/?EIO=4") && covers("/socket.iota"));
    EXPECT(!covers("/poll") && !covers("/Poll/1") && !covers("/a/poll/") && !covers(""));
}

static void what_no_path_can_begin_with_is_refused(void)
{
    char longest[CPROF_SLOW_EXCEPTION_BYTES_MAX + 2];

    begin();
    EXPECT(!add(NULL) && !add("") && !add("/") && !add("poll") && !add("/a b") && !add("/a?b"));
    EXPECT(!add("/stra\303\237e") && !add("/a\n") && !add("/a\177"));
    memset(longest, 'a', sizeof(longest));
    longest[0] = '/';
    longest[sizeof(longest) - 1] = '\0';
    EXPECT(!add(longest) && exceptions.count == 0);
    longest[sizeof(longest) - 2] = '\0';
    EXPECT(add(longest) && covers(longest));
}

static void there_is_room_for_so_many(void)
{
    begin();
    for (unsigned i = 0; i < CPROF_SLOW_EXCEPTIONS_MAX; i++) {
        EXPECT(add("/a"));
    }
    EXPECT(!add("/b") && !covers("/b") && covers("/a"));
}

static void a_client_that_asks_for_events_first_gets_a_stream(void)
{
    EXPECT(is_stream("text/event-stream") && is_stream("Text/Event-Stream"));
    EXPECT(is_stream("text/event-stream;q=0.9") && is_stream("text/event-stream, */*"));
    EXPECT(is_stream("text/event-stream , */*") && is_stream("text/event-stream,*/*"));
    EXPECT(!is_stream("application/json, text/event-stream"));
    EXPECT(!is_stream("*/*") && !is_stream("") && !is_stream("text/event-streams"));
    EXPECT(!is_stream("text/event-strea"));
}

int main(void)
{
    RUN(paths_that_begin_with_a_prefix_are_covered);
    RUN(what_no_path_can_begin_with_is_refused);
    RUN(there_is_room_for_so_many);
    RUN(a_client_that_asks_for_events_first_gets_a_stream);
    return 0;
}
