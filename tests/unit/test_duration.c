/* test_duration.c - see gateway/cloud/duration.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/cloud/duration.h"

#include "expect.h"

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define NONE   UINT64_C(123456789012345) /* what stays when nothing is read */

static uint64_t duration(const char *text)
{
    uint64_t ns = NONE;

    EXPECT(cprof_api_duration(text, &ns) == (ns != NONE));
    return ns;
}

static uint64_t backoff(const char *sentence)
{
    uint64_t ns = NONE;

    EXPECT(cprof_api_backoff_in(sentence, &ns) == (ns != NONE));
    return ns;
}

static void durations_are_read_exactly(void)
{
    EXPECT(duration("10s") == 10 * SECOND);
    EXPECT(duration("1.500s") == 1500 * MS);
    EXPECT(duration("0.1s") == 100 * MS);
    EXPECT(duration("0s") == 0);
    EXPECT(duration("3.000000001s") == 3 * SECOND + 1);
    EXPECT(duration("0.999999999s") == SECOND - 1);
    EXPECT(duration("1980s") == 33 * MINUTE);
    EXPECT(duration("18446744073.709551615s") == UINT64_MAX);
}

static void other_texts_are_no_durations(void)
{
    static const char *const texts[] = {
        "",
        "s",
        "10",
        "10 s",
        " 10s",
        "10s ",
        "-1s",
        "+1s",
        "1.s",
        ".5s",
        "1.0000000001s",
        "1,5s",
        "1e3s",
        "0x10s",
        "10S",
        "10ms",
        "1m0s",
        "infs",
        "nans",
        "1..5s",
        "1.5.5s",
        "10seconds",
        "18446744073.709551616s",
        "18446744074s",
        "99999999999999999999s",
        "184467440737095516160s",
    };

    for (unsigned i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        EXPECT(duration(texts[i]) == NONE);
    }
}

static void waits_are_found_in_sentences(void)
{
    EXPECT(backoff("generic::aborted: action throttled, backoff for 33m0s") == 33 * MINUTE);
    EXPECT(backoff("action throttled, backoff for 44m0s") == 44 * MINUTE);
    EXPECT(backoff("backoff for 32m0s.") == 32 * MINUTE);
    EXPECT(backoff("backoff for 1m2s") == 62 * SECOND);
    EXPECT(backoff("backoff for 2.5s") == 2500 * MS);
    EXPECT(backoff("backoff for 2000.000s") == 2000 * SECOND);
    EXPECT(backoff("backoff for 1h0m0.25s") == HOUR + 250 * MS);
    EXPECT(backoff("backoff for 1h3m1s, please") == HOUR + 3 * MINUTE + SECOND);
    EXPECT(backoff("backoff for 1500ms") == 1500 * MS);
    EXPECT(backoff("backoff for 1.5h (queue)") == HOUR + HOUR / 2);
    EXPECT(backoff("backoff for 0s") == 0);
}

static void sentences_without_a_wait_order_none(void)
{
    static const char *const sentences[] = {
        "",
        "quota exceeded",
        "backoff for ",
        "backoff for a while",
        "backoff for 10",
        "backoff for 10 s",
        "backoff for 10seconds",
        "backoff for 5d",
        "backoff for 1m30",
        "backoff for -5s",
        "backoff for 999999999999999999999s",
        "backoff for 9999999999999h",
        "backoff for 18446744073s18446744073s",
        "back off for 5s",
    };

    for (unsigned i = 0; i < sizeof(sentences) / sizeof(*sentences); i++) {
        EXPECT(backoff(sentences[i]) == NONE);
    }
}

int main(void)
{
    RUN(durations_are_read_exactly);
    RUN(other_texts_are_no_durations);
    RUN(waits_are_found_in_sentences);
    RUN(sentences_without_a_wait_order_none);
    return 0;
}
