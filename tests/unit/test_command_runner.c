/* test_command_runner.c - see gateway/control/command_runner.h: settings that operators
 * change, and those that are found at a start.
 *
 * sources: tests/unit/fake_log.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/control/command_runner.h"

#include <stdatomic.h>
#include <string.h>

#include "expect.h"
#include "fake_log.h"

static struct cprof_segment segment;
static struct cprof_loop loop;
static struct cprof_command_runner *runner;
static struct cprof_config config;
static unsigned changes, profiles, stacks;
static uint32_t last_kinds, last_seconds;

static bool take_profile(void *context, uint32_t kinds, uint32_t seconds, enum cprof_origin origin,
                         struct cprof_error *error)
{
    (void)context;
    EXPECT(origin == CPROF_ORIGIN_HTTP);
    profiles++;
    last_kinds = kinds;
    last_seconds = seconds;
    return seconds != 600 || cprof_fail(error, "too many");
}

static bool write_stacks(void *context, struct cprof_error *error)
{
    (void)context, (void)error;
    stacks++;
    return true;
}

static void change(void *context, const struct cprof_settings *before,
                   const struct cprof_settings *after)
{
    (void)context, (void)before, (void)after;
    changes++;
}

static const struct cprof_command_host host = {
    .profile = take_profile, .stacks = write_stacks, .changed = change};

/* A gateway that finds what stands in the segment. */
static const struct cprof_settings *start(void)
{
    struct cprof_error error;

    cprof_loop_init(&loop);
    runner = cprof_command_runner_create(&config, &segment, -1, &loop, &host, &error);
    EXPECT(runner);
    return cprof_command_settings(runner);
}

static void begin_test(bool upload)
{
    config = (struct cprof_config){.upload = upload,
                                   .period_ms = 10,
                                   .output_interval_s = 60,
                                   .output_duration_s = 10,
                                   .disable_cpu = true};
    changes = profiles = stacks = 0;
    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    (void)start();
}

static void end_test(void)
{
    cprof_command_runner_destroy(runner);
    fake_segment_close(&segment);
}

static enum cprof_command_outcome act(const char *text)
{
    struct cprof_command command;
    struct cprof_error error;
    char said[256] = "";
    enum cprof_command_outcome outcome;

    EXPECT(cprof_command_parse(&command, text, &error));
    command.origin = CPROF_ORIGIN_HTTP;
    outcome = cprof_command_run(runner, &command, said, sizeof(said));
    EXPECT(said[0] != '\0' && !strchr(said, '\n'));
    return outcome;
}

static void what_is_set_is_found_by_the_next_gateway(void)
{
    const struct cprof_settings *settings;

    begin_test(true);
    EXPECT(act("off") == CPROF_OUTCOME_DONE && act("kinds cpu") == CPROF_OUTCOME_DONE);
    EXPECT(act("period 5") == CPROF_OUTCOME_DONE && act("upload off") == CPROF_OUTCOME_DONE);
    EXPECT(act("interval 120") == CPROF_OUTCOME_DONE && changes == 5);
    EXPECT(act("off") == CPROF_OUTCOME_DONE && changes == 5);
    cprof_command_runner_destroy(runner);
    settings = start();
    EXPECT(!settings->on && !settings->upload && settings->kinds == CPROF_KIND_CPU);
    EXPECT(settings->period_ms == 5 && settings->output_interval_s == 120);
    EXPECT(act("toggle") == CPROF_OUTCOME_DONE && act("upload on") == CPROF_OUTCOME_DONE);
    EXPECT(act("kinds default") == CPROF_OUTCOME_DONE &&
           act("period default") == CPROF_OUTCOME_DONE);
    EXPECT(act("interval default") == CPROF_OUTCOME_DONE && changes == 10);
    EXPECT(settings->on && settings->upload && settings->kinds == CPROF_KIND_WALL);
    EXPECT(settings->period_ms == 10 && settings->output_interval_s == 60);
    end_test();
}

static void what_makes_no_sense_is_not_taken_over(void)
{
    struct cprof_switches *switches;
    const struct cprof_settings *settings;

    begin_test(false);
    cprof_command_runner_destroy(runner);
    switches = &cprof_segment_control(&segment)->switches;
    atomic_store(&switches->off, 77);
    atomic_store(&switches->kinds, 1u << 20);
    atomic_store(&switches->period_ms, 1001);
    atomic_store(&switches->output_interval_s, 9); /* shorter than a profile */
    settings = start();
    EXPECT(settings->on && settings->kinds == CPROF_KIND_WALL && settings->period_ms == 10);
    EXPECT(settings->output_interval_s == 60 && !settings->upload);
    end_test();
}

static void what_cannot_be_is_refused(void)
{
    const struct cprof_command none = {.name = CPROF_COMMAND_COUNT, .origin = CPROF_ORIGIN_HTTP};
    char said[64];

    begin_test(false);
    EXPECT(act("upload on") == CPROF_OUTCOME_REFUSED && act("interval 9") == CPROF_OUTCOME_REFUSED);
    EXPECT(act("profile 600") == CPROF_OUTCOME_REFUSED);
    EXPECT(cprof_command_run(runner, &none, said, sizeof(said)) == CPROF_OUTCOME_INVALID);
    EXPECT(changes == 0);
    EXPECT(act("off") == CPROF_OUTCOME_DONE);
    EXPECT(act("profile 5") == CPROF_OUTCOME_REFUSED && act("stacks") == CPROF_OUTCOME_REFUSED);
    EXPECT(profiles == 1 && stacks == 0);
    end_test();
}

static void profiles_and_stacks_are_started(void)
{
    begin_test(false);
    EXPECT(act("profile 5") == CPROF_OUTCOME_STARTED);
    EXPECT(last_kinds == CPROF_KIND_WALL && last_seconds == 5);
    EXPECT(act("profile cpu,wall") == CPROF_OUTCOME_STARTED);
    EXPECT(last_kinds == CPROF_KINDS_ALL && last_seconds == 30);
    EXPECT(act("stacks") == CPROF_OUTCOME_STARTED && stacks == 1);
    end_test();
}

int main(void)
{
    RUN(what_is_set_is_found_by_the_next_gateway);
    RUN(what_makes_no_sense_is_not_taken_over);
    RUN(what_cannot_be_is_refused);
    RUN(profiles_and_stacks_are_started);
    return 0;
}
