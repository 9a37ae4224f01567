/* recorder_fixture.h - a recorder on a log of its own, and what a reader finds in that log.
 *
 * Names: a test that uses it takes over the `sources:` line of test_recorder.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_RECORDER_FIXTURE_H
#define CPROF_RECORDER_FIXTURE_H

#include "../../gateway/profile/log_reader.h"
#include "../../plugin/record/recorder.h"
#include "../../shared/segment/segment.h"
#include "fake_python.h"

#define FIXTURE_EPOCH       1u
#define FIXTURE_INCARNATION 2u

struct recorder_fixture {
    struct cprof_segment segment;
    struct cprof_recorder recorder;
};

/* Begins epoch FIXTURE_EPOCH. Ends the test program on failure, like all of this. */
void recorder_fixture_begin(struct recorder_fixture *fixture, uint64_t log_bytes,
                            uint32_t max_depth);
void recorder_fixture_end(struct recorder_fixture *fixture);

/* Puts a frame of `object` at `index` of the context's stack. */
void recorder_fixture_frame(struct cprof_context *context, uint32_t index,
                            const struct fake_code_object *object, int32_t byte_offset);

/* Records a sample of the frames that stand in the context. */
enum cprof_recorded recorder_fixture_sample(struct recorder_fixture *fixture,
                                            struct cprof_context *context, uint32_t depth,
                                            uint64_t weight_ns);

/* Reads the log of `epoch`. The caller ends it with cprof_log_view_reset. */
void recorder_fixture_read(const struct recorder_fixture *fixture, uint32_t epoch,
                           struct cprof_log_view *view);

/* Samples in all stacks whose innermost frame is called `name`. */
uint64_t recorder_fixture_count(const struct cprof_log_view *view, const char *name);

#endif
