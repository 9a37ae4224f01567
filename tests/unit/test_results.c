/* test_results.c - see shared/segment/results.h: what a worker gets of a file that others write.
 *
 * flags: -Wl,--wrap=cprof_pages_take
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../shared/segment/results.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../shared/segment/pages.h"
#include "expect.h"

#define FINISHED_NS 100

static const struct cprof_results *seen; /* a worker's */
static struct cprof_results *own;        /* the gateway's */

static bool memory_is_refused;

bool __real_cprof_pages_take(void *start, size_t bytes);
bool __wrap_cprof_pages_take(void *start, size_t bytes);

bool __wrap_cprof_pages_take(void *start, size_t bytes)
{
    return !memory_is_refused && __real_cprof_pages_take(start, bytes);
}

static void begin_test(void)
{
    struct cprof_error error;
    int fd;

    seen = cprof_results_create(&fd, &error);
    EXPECT(seen);
    own = cprof_results_open(fd, &error);
    EXPECT(own && own != seen);
    close(fd);
}

static void end_test(void)
{
    cprof_results_close(own);
    cprof_results_close((struct cprof_results *)(uintptr_t)seen);
}

static bool put(enum cprof_kind kind, const char *text, size_t byte_count)
{
    const struct cprof_result head = {
        .kind = kind, .duration_ns = 7, .finished_ns = FINISHED_NS, .byte_count = byte_count};

    return cprof_results_put(own, &head, (const uint8_t *)text);
}

/* Is this what a worker gets? NULL: nothing. */
static bool gives(enum cprof_kind kind, uint64_t after_ns, const char *text)
{
    struct cprof_result head;
    uint8_t *bytes = NULL;
    bool found = cprof_results_copy(seen, kind, after_ns, &head, &bytes);
    bool right = found ? text && head.byte_count == strlen(text) && head.duration_ns == 7 &&
                             memcmp(bytes, text, strlen(text)) == 0
                       : !text && !bytes;

    free(bytes);
    return right;
}

static void each_kind_has_its_newest_profile(void)
{
    begin_test();
    EXPECT(gives(CPROF_KIND_CPU, 0, NULL));
    EXPECT(put(CPROF_KIND_CPU, "first", 5) && put(CPROF_KIND_CPU, "next", 4));
    EXPECT(gives(CPROF_KIND_CPU, 0, "next") && gives(CPROF_KIND_WALL, 0, NULL));
    EXPECT(put(CPROF_KIND_WALL, "wall", 4));
    EXPECT(gives(CPROF_KIND_CPU, 0, "next") && gives(CPROF_KIND_WALL, 0, "wall"));
    EXPECT(gives(CPROF_KIND_WALL, FINISHED_NS - 1, "wall"));
    EXPECT(gives(CPROF_KIND_WALL, FINISHED_NS, NULL));
    end_test();
}

static void one_that_is_being_written_is_not_given(void)
{
    begin_test();
    EXPECT(put(CPROF_KIND_CPU, "first", 5));
    atomic_fetch_add(&own->heads[0].sequence, 1); /* its writer was killed */
    EXPECT(gives(CPROF_KIND_CPU, 0, NULL));
    EXPECT(put(CPROF_KIND_CPU, "next", 4) && gives(CPROF_KIND_CPU, 0, "next"));
    atomic_store(&own->heads[0].sequence, UINT32_MAX - 1);
    EXPECT(put(CPROF_KIND_CPU, "last", 4) && gives(CPROF_KIND_CPU, 0, "last"));
    end_test();
}

static void lengths_are_bounded_for_writer_and_reader(void)
{
    char *most = calloc(1, CPROF_RESULT_BYTES_MAX);

    EXPECT(most);
    begin_test();
    EXPECT(!put(CPROF_KIND_CPU, most, (size_t)CPROF_RESULT_BYTES_MAX + 1));
    EXPECT(gives(CPROF_KIND_CPU, 0, NULL));
    memset(most, 'x', CPROF_RESULT_BYTES_MAX - 1);
    EXPECT(put(CPROF_KIND_WALL, most, CPROF_RESULT_BYTES_MAX - 1));
    EXPECT(gives(CPROF_KIND_WALL, 0, most));
    own->heads[1].byte_count = UINT64_MAX;
    EXPECT(gives(CPROF_KIND_WALL, 0, NULL));
    own->heads[1].byte_count = 4;
    own->heads[1].kind = CPROF_KIND_CPU;
    EXPECT(gives(CPROF_KIND_WALL, 0, NULL));
    end_test();
    free(most);
}

static void without_memory_the_profile_before_stays(void)
{
    begin_test();
    EXPECT(put(CPROF_KIND_CPU, "first", 5));
    memory_is_refused = true;
    EXPECT(!put(CPROF_KIND_CPU, "next", 4) && !put(CPROF_KIND_WALL, "wall", 4));
    EXPECT(gives(CPROF_KIND_CPU, 0, "first") && gives(CPROF_KIND_WALL, 0, NULL));
    memory_is_refused = false;
    EXPECT(put(CPROF_KIND_CPU, "next", 4) && gives(CPROF_KIND_CPU, 0, "next"));
    end_test();
}

static void another_file_is_refused(void)
{
    struct cprof_error error = {0};
    int fd = memfd_create("other", MFD_ALLOW_SEALING);

    EXPECT(fd >= 0 && !cprof_results_open(fd, &error) && error.text[0]);
    close(fd);
    EXPECT(!cprof_results_open(-1, &error));
}

int main(void)
{
    RUN(each_kind_has_its_newest_profile);
    RUN(one_that_is_being_written_is_not_given);
    RUN(lengths_are_bounded_for_writer_and_reader);
    RUN(without_memory_the_profile_before_stays);
    RUN(another_file_is_refused);
    return 0;
}
