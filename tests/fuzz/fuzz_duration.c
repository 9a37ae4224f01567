/* fuzz_duration.c - durations, alone and in sentences (gateway/cloud/duration.h). What is taken is
 * compared with what strtold makes of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../gateway/cloud/duration.h"
#include "../unit/expect.h"
#include "fuzz.h"

#define TEXT_BYTES 256

static long double seconds_of(uint64_t ns)
{
    return (long double)ns / 1e9L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char words[] = "backoff for ";
    char sentence[sizeof(words) + TEXT_BYTES] = "backoff for ";
    char *text = sentence + sizeof(words) - 1;
    uint64_t alone_ns, found_ns;

    if (size > 0) {
        memcpy(text, data, size < TEXT_BYTES ? size : TEXT_BYTES);
    }
    if (cprof_api_duration(text, &alone_ns)) {
        char *end;
        long double seconds = strtold(text, &end);

        EXPECT(strcmp(end, "s") == 0 && seconds >= 0);
        EXPECT(fabsl(seconds - seconds_of(alone_ns)) < 1e-9L);
        EXPECT(cprof_api_backoff_in(sentence, &found_ns) && found_ns == alone_ns);
    }
    (void)!cprof_api_backoff_in(text, &found_ns);
    (void)!cprof_api_backoff_in(sentence, &found_ns);
    return 0;
}
