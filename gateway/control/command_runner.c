/* command_runner.c - see command_runner.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "command_runner.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"

/* So many commands, then a pause, during which the bell is not listened to. */
#define COMMANDS_A_TURN 8
#define PAUSE_NS        (5 * NS_PER_MS)

#define STACKS_PAUSE_NS (1000 * NS_PER_MS) /* between two times all stacks go to the log */

struct cprof_command_runner {
    const struct cprof_config *config; /* as it was at the start */
    struct cprof_control *control;
    struct cprof_commands *commands;
    struct cprof_loop *loop;
    struct cprof_loop_watch bell;
    struct cprof_loop_timer pause; /* its end */
    struct cprof_command_host host;
    struct cprof_settings settings;
    uint32_t next; /* place in the ring */
    uint64_t stacks_ns;
};

/* A profile of the schedule ends before the next one begins. */
static uint32_t interval_or_default(const struct cprof_config *config, uint32_t interval_s)
{
    return interval_s < config->output_duration_s || interval_s > CPROF_INTERVAL_S_MAX
               ? config->output_interval_s
               : interval_s;
}

/* What a former gateway, or the master before a reload, wrote down; anything odd counts as not
 * set. */
static struct cprof_settings read_settings(const struct cprof_config *config,
                                           const struct cprof_switches *switches)
{
    uint32_t kinds = atomic_load(&switches->kinds), period_ms = atomic_load(&switches->period_ms);

    return (struct cprof_settings){
        .on = atomic_load(&switches->off) != 1,
        .upload = config->upload && atomic_load(&switches->upload_off) != 1,
        .kinds =
            kinds && !(kinds & ~(uint32_t)CPROF_KINDS_ALL) ? kinds : cprof_config_kinds(config),
        .period_ms =
            period_ms >= 1 && period_ms <= CPROF_PERIOD_MS_MAX ? period_ms : config->period_ms,
        .output_interval_s = interval_or_default(config, atomic_load(&switches->output_interval_s)),
    };
}

static bool settings_are_equal(const struct cprof_settings *left,
                               const struct cprof_settings *right)
{
    return left->on == right->on && left->upload == right->upload && left->kinds == right->kinds &&
           left->period_ms == right->period_ms &&
           left->output_interval_s == right->output_interval_s;
}

/* Writes the settings down for whoever comes next and tells the conductor. */
static void put_in_force(struct cprof_command_runner *runner, const struct cprof_settings *after)
{
    const struct cprof_settings before = runner->settings;
    const struct cprof_config *config = runner->config;
    struct cprof_switches *switches = &runner->control->switches;

    runner->settings = *after;
    atomic_store(&switches->off, !after->on);
    atomic_store(&switches->kinds, after->kinds == cprof_config_kinds(config) ? 0 : after->kinds);
    atomic_store(&switches->period_ms,
                 after->period_ms == config->period_ms ? 0 : after->period_ms);
    atomic_store(&switches->upload_off, config->upload && !after->upload);
    atomic_store(&switches->output_interval_s, after->output_interval_s == config->output_interval_s
                                                   ? 0
                                                   : after->output_interval_s);
    runner->host.changed(runner->host.context, &before, after);
}

static const char *kinds_text(uint32_t kinds)
{
    return kinds == CPROF_KIND_CPU    ? "CPU time"
           : kinds == CPROF_KIND_WALL ? "wall time"
                                      : "CPU and wall time";
}

/* Fills in what the command makes of the settings; false: that cannot be, and why. */
static bool apply(const struct cprof_command_runner *runner, const struct cprof_command *command,
                  struct cprof_settings *settings, struct cprof_error *error)
{
    const struct cprof_config *config = runner->config;

    switch (command->name) {
    case CPROF_COMMAND_ON:
        settings->on = true;
        break;
    case CPROF_COMMAND_OFF:
        settings->on = false;
        break;
    case CPROF_COMMAND_TOGGLE:
        settings->on = !settings->on;
        break;
    case CPROF_COMMAND_KINDS:
        settings->kinds = command->kinds ? command->kinds : cprof_config_kinds(config);
        break;
    case CPROF_COMMAND_PERIOD:
        settings->period_ms = command->value ? command->value : config->period_ms;
        break;
    case CPROF_COMMAND_INTERVAL:
        if (command->value && command->value < config->output_duration_s) {
            return cprof_fail(error, "an interval of %u s is shorter than a profile, %u s",
                              command->value, config->output_duration_s);
        }
        settings->output_interval_s = interval_or_default(config, command->value);
        break;
    default:
        if (command->value && !config->upload) {
            return cprof_fail(error, "uploads were not configured at the start");
        }
        settings->upload = command->value;
        break;
    }
    return true;
}

static void describe(const struct cprof_settings *settings, uint32_t name, char *text,
                     size_t text_bytes)
{
    switch (name) {
    case CPROF_COMMAND_KINDS:
        (void)snprintf(text, text_bytes, "profiles are of %s", kinds_text(settings->kinds));
        break;
    case CPROF_COMMAND_PERIOD:
        (void)snprintf(text, text_bytes, "a sample each %u ms", settings->period_ms);
        break;
    case CPROF_COMMAND_INTERVAL:
        (void)snprintf(text, text_bytes, "a profile for output-dir each %u s",
                       settings->output_interval_s);
        break;
    case CPROF_COMMAND_UPLOAD:
        (void)snprintf(text, text_bytes, "uploads are %s", settings->upload ? "on" : "off");
        break;
    default:
        (void)snprintf(text, text_bytes, "profiling is %s", settings->on ? "on" : "off");
        break;
    }
}

static enum cprof_command_outcome change(struct cprof_command_runner *runner,
                                         const struct cprof_command *command, char *text,
                                         size_t text_bytes)
{
    struct cprof_settings after = runner->settings;
    struct cprof_error error;

    if (!apply(runner, command, &after, &error)) {
        (void)snprintf(text, text_bytes, "%s", error.text);
        return CPROF_OUTCOME_REFUSED;
    }
    describe(&after, command->name, text, text_bytes);
    if (!settings_are_equal(&after, &runner->settings)) {
        cprof_notice("%s, by %s", text, cprof_origin_name(command->origin));
        put_in_force(runner, &after);
    }
    return CPROF_OUTCOME_DONE;
}

static enum cprof_command_outcome take_profile(struct cprof_command_runner *runner,
                                               const struct cprof_command *command, char *text,
                                               size_t text_bytes)
{
    uint32_t kinds = command->kinds ? command->kinds : runner->settings.kinds;
    struct cprof_error error;

    if (!runner->settings.on) {
        (void)snprintf(text, text_bytes, "profiling is off");
        return CPROF_OUTCOME_REFUSED;
    }
    if (!runner->host.profile(runner->host.context, kinds, command->value,
                              (enum cprof_origin)command->origin, &error)) {
        (void)snprintf(text, text_bytes, "%s", error.text);
        return CPROF_OUTCOME_REFUSED;
    }
    (void)snprintf(text, text_bytes, "a profile of %s is taken for %u s", kinds_text(kinds),
                   command->value);
    cprof_log(CPROF_LOG_INFO, "%s, by %s", text, cprof_origin_name(command->origin));
    return CPROF_OUTCOME_STARTED;
}

static enum cprof_command_outcome write_stacks(struct cprof_command_runner *runner, char *text,
                                               size_t text_bytes)
{
    uint64_t now_ns = cprof_now_ns();
    struct cprof_error error;

    if (!runner->settings.on) {
        (void)snprintf(text, text_bytes, "profiling is off");
        return CPROF_OUTCOME_REFUSED;
    }
    if (runner->stacks_ns && now_ns - runner->stacks_ns < STACKS_PAUSE_NS) {
        (void)snprintf(text, text_bytes, "the stacks were written less than a second ago");
        return CPROF_OUTCOME_REFUSED;
    }
    if (!runner->host.stacks(runner->host.context, &error)) {
        (void)snprintf(text, text_bytes, "%s", error.text);
        return CPROF_OUTCOME_REFUSED;
    }
    runner->stacks_ns = now_ns;
    (void)snprintf(text, text_bytes, "the stacks go to the log");
    return CPROF_OUTCOME_STARTED;
}

enum cprof_command_outcome cprof_command_run(struct cprof_command_runner *runner,
                                             const struct cprof_command *command, char *text,
                                             size_t text_bytes)
{
    if (!cprof_command_is_sound(command)) {
        (void)snprintf(text, text_bytes, "no such command, or a number out of bounds");
        return CPROF_OUTCOME_INVALID;
    }
    switch (command->name) {
    case CPROF_COMMAND_PROFILE:
        return take_profile(runner, command, text, text_bytes);
    case CPROF_COMMAND_STACKS:
        return write_stacks(runner, text, text_bytes);
    default:
        return change(runner, command, text, text_bytes);
    }
}

const struct cprof_settings *cprof_command_settings(const struct cprof_command_runner *runner)
{
    return &runner->settings;
}

/* Who asked by a letter or a file reads the answer in the log. False: there may be more. */
static bool empty_ring(struct cprof_command_runner *runner)
{
    struct cprof_command command;
    struct cprof_error answer;

    for (int i = 0; i < COMMANDS_A_TURN; i++) {
        if (!cprof_commands_take(runner->commands, &runner->next, &command)) {
            return true;
        }
        if (cprof_command_run(runner, &command, answer.text, sizeof(answer.text)) ==
            CPROF_OUTCOME_REFUSED) {
            cprof_log(CPROF_LOG_WARNING, "a command by %s is not carried out: %s",
                      cprof_origin_name(command.origin), answer.text);
        }
    }
    return false;
}

/* Many strokes are one; the commands stand in the ring. */
static void hear(void *context, short events)
{
    struct cprof_command_runner *runner = context;
    char strokes[4096];

    (void)events;
    cprof_loop_remove_watch(runner->loop, &runner->bell);
    if (read(runner->bell.fd, strokes, sizeof(strokes)) > 0) {
        (void)empty_ring(runner);
    }
    runner->pause.due_ns = cprof_now_ns() + PAUSE_NS;
}

/* Takes what came during the pause, or before there was a gateway. */
static void end_pause(void *context, uint64_t now_ns)
{
    struct cprof_command_runner *runner = context;

    if (!empty_ring(runner) || !cprof_loop_add_watch(runner->loop, &runner->bell)) {
        runner->pause.due_ns = now_ns + PAUSE_NS;
    }
}

struct cprof_command_runner *cprof_command_runner_create(const struct cprof_config *config,
                                                         const struct cprof_segment *segment,
                                                         int bell_fd, struct cprof_loop *loop,
                                                         const struct cprof_command_host *host,
                                                         struct cprof_error *error)
{
    struct cprof_command_runner *runner = calloc(1, sizeof(*runner));

    if (!runner) {
        cprof_fail(error, "no memory for the commands");
        return NULL;
    }
    runner->config = config;
    runner->control = cprof_segment_control(segment);
    runner->commands = cprof_segment_commands(segment);
    runner->loop = loop;
    runner->host = *host;
    runner->settings = read_settings(config, &runner->control->switches);
    runner->bell = (struct cprof_loop_watch){
        .fd = bell_fd, .events = POLLIN, .ready = hear, .context = runner};
    runner->pause =
        (struct cprof_loop_timer){.due_ns = CPROF_LOOP_NEVER, .fire = end_pause, .context = runner};
    if (!cprof_loop_add_timer(loop, &runner->pause)) {
        cprof_fail(error, "the loop has no place for the commands");
        free(runner);
        return NULL;
    }
    if (!runner->settings.on) {
        cprof_log(CPROF_LOG_WARNING, "profiling is off, as it was set before this start");
    }
    return runner;
}

void cprof_command_runner_listen(struct cprof_command_runner *runner)
{
    runner->pause.due_ns = runner->bell.fd < 0 ? CPROF_LOOP_NEVER : 0;
}

void cprof_command_runner_destroy(struct cprof_command_runner *runner)
{
    if (runner) {
        cprof_loop_remove_watch(runner->loop, &runner->bell);
        cprof_loop_remove_timer(runner->loop, &runner->pause);
        free(runner);
    }
}
