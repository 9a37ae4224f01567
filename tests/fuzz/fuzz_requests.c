/* fuzz_requests.c - a slot's requests with any bytes in them (gateway/profile/requests.h), as
 * patches of sound ones. What is taken must make sense and be printable.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../../gateway/profile/requests.h"
#include "../unit/expect.h"
#include "../unit/fake_log.h"
#include "fuzz.h"
#include "patches.h"

static struct cprof_segment segment;

#define BYTES (CPROF_REQUESTS_MIN * sizeof(struct cprof_request_entry))

static struct cprof_request_entry *sound_requests(void)
{
    static struct cprof_request_entry *requests;

    if (!requests) {
        fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
        requests = cprof_segment_requests(&segment, 0);
    }
    memset(requests, 0, BYTES);
    for (unsigned i = 0; i < 4; i++) {
        struct cprof_request_entry *entry = &requests[i];

        entry->mark = i + 1;
        entry->start_us = 5;
        entry->end_us = i & 1 ? 6 : 0;
        entry->method_bytes = 3;
        entry->uri_bytes = 5;
        memcpy(entry->method, "GET", 3);
        memcpy(entry->uri, "/shop", 5);
    }
    return requests;
}

static void check_text(const char *text, size_t text_bytes)
{
    size_t length = strnlen(text, text_bytes);

    EXPECT(length > 0 && length < text_bytes);
    for (size_t i = 0; i < length; i++) {
        EXPECT((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cprof_request_list list;
    struct cprof_request_entry *requests = sound_requests();

    fuzz_patch(requests, BYTES, data, size);
    cprof_requests_read(&list, &segment, 0);
    EXPECT(list.count <= CPROF_REQUESTS_MIN);
    for (size_t i = 0; i < list.count; i++) {
        const struct cprof_request *request = &list.requests[i];

        const struct cprof_request *found = cprof_requests_find(&list, request->mark);

        EXPECT(request->mark != 0 && (!found || found == request));
        EXPECT(request->end_us == 0 || request->end_us >= request->start_us);
        check_text(request->method, sizeof(request->method));
        check_text(request->uri, sizeof(request->uri));
    }
    return 0;
}
