/* actions.c - see actions.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actions.h"

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

struct cprof_actions {
    const struct cprof_config *config; /* as it was at the start */
    struct cprof_control *control;
    struct cprof_commands *commands;
    struct cprof_loop *loop;
    struct cprof_loop_watch bell;
    struct cprof_loop_timer pause; /* its end */
    struct cprof_actions_host host;
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
static void put_in_force(struct cprof_actions *actions, const struct cprof_settings *after)
{
    const struct cprof_settings before = actions->settings;
    const struct cprof_config *config = actions->config;
    struct cprof_switches *switches = &actions->control->switches;

    actions->settings = *after;
    atomic_store(&switches->off, !after->on);
    atomic_store(&switches->kinds, after->kinds == cprof_config_kinds(config) ? 0 : after->kinds);
    atomic_store(&switches->period_ms,
                 after->period_ms == config->period_ms ? 0 : after->period_ms);
    atomic_store(&switches->upload_off, config->upload && !after->upload);
    atomic_store(&switches->output_interval_s, after->output_interval_s == config->output_interval_s
                                                   ? 0
                                                   : after->output_interval_s);
    actions->host.changed(actions->host.context, &before, after);
}

static const char *kinds_text(uint32_t kinds)
{
    return kinds == CPROF_KIND_CPU    ? "CPU time"
           : kinds == CPROF_KIND_WALL ? "wall time"
                                      : "CPU and wall time";
}

/* Fills in what the command makes of the settings; false: that cannot be, and why. */
static bool apply(const struct cprof_actions *actions, const struct cprof_command *command,
                  struct cprof_settings *settings, struct cprof_error *error)
{
    const struct cprof_config *config = actions->config;

    switch (command->verb) {
    case CPROF_VERB_ON:
        settings->on = true;
        break;
    case CPROF_VERB_OFF:
        settings->on = false;
        break;
    case CPROF_VERB_TOGGLE:
        settings->on = !settings->on;
        break;
    case CPROF_VERB_KINDS:
        settings->kinds = command->kinds ? command->kinds : cprof_config_kinds(config);
        break;
    case CPROF_VERB_PERIOD:
        settings->period_ms = command->value ? command->value : config->period_ms;
        break;
    case CPROF_VERB_INTERVAL:
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

static void describe(const struct cprof_settings *settings, uint32_t verb, char *text,
                     size_t text_bytes)
{
    switch (verb) {
    case CPROF_VERB_KINDS:
        (void)snprintf(text, text_bytes, "profiles are of %s", kinds_text(settings->kinds));
        break;
    case CPROF_VERB_PERIOD:
        (void)snprintf(text, text_bytes, "a sample each %u ms", settings->period_ms);
        break;
    case CPROF_VERB_INTERVAL:
        (void)snprintf(text, text_bytes, "a profile for output-dir each %u s",
                       settings->output_interval_s);
        break;
    case CPROF_VERB_UPLOAD:
        (void)snprintf(text, text_bytes, "uploads are %s", settings->upload ? "on" : "off");
        break;
    default:
        (void)snprintf(text, text_bytes, "profiling is %s", settings->on ? "on" : "off");
        break;
    }
}

static enum cprof_action_outcome change(struct cprof_actions *actions,
                                        const struct cprof_command *command, char *text,
                                        size_t text_bytes)
{
    struct cprof_settings after = actions->settings;
    struct cprof_error error;

    if (!apply(actions, command, &after, &error)) {
        (void)snprintf(text, text_bytes, "%s", error.text);
        return CPROF_ACTION_REFUSED;
    }
    describe(&after, command->verb, text, text_bytes);
    if (!settings_are_equal(&after, &actions->settings)) {
        cprof_notice("%s, by %s", text, cprof_origin_name(command->origin));
        put_in_force(actions, &after);
    }
    return CPROF_ACTION_DONE;
}

static enum cprof_action_outcome take_profile(struct cprof_actions *actions,
                                              const struct cprof_command *command, char *text,
                                              size_t text_bytes)
{
    uint32_t kinds = command->kinds ? command->kinds : actions->settings.kinds;
    struct cprof_error error;

    if (!actions->settings.on) {
        (void)snprintf(text, text_bytes, "profiling is off");
        return CPROF_ACTION_REFUSED;
    }
    if (!actions->host.profile(actions->host.context, kinds, command->value,
                               (enum cprof_origin)command->origin, &error)) {
        (void)snprintf(text, text_bytes, "%s", error.text);
        return CPROF_ACTION_REFUSED;
    }
    (void)snprintf(text, text_bytes, "a profile of %s is taken for %u s", kinds_text(kinds),
                   command->value);
    cprof_log(CPROF_LOG_INFO, "%s, by %s", text, cprof_origin_name(command->origin));
    return CPROF_ACTION_STARTED;
}

static enum cprof_action_outcome write_stacks(struct cprof_actions *actions, char *text,
                                              size_t text_bytes)
{
    uint64_t now_ns = cprof_now_ns();
    struct cprof_error error;

    if (!actions->settings.on) {
        (void)snprintf(text, text_bytes, "profiling is off");
        return CPROF_ACTION_REFUSED;
    }
    if (actions->stacks_ns && now_ns - actions->stacks_ns < STACKS_PAUSE_NS) {
        (void)snprintf(text, text_bytes, "the stacks were written less than a second ago");
        return CPROF_ACTION_REFUSED;
    }
    if (!actions->host.stacks(actions->host.context, &error)) {
        (void)snprintf(text, text_bytes, "%s", error.text);
        return CPROF_ACTION_REFUSED;
    }
    actions->stacks_ns = now_ns;
    (void)snprintf(text, text_bytes, "the stacks go to the log");
    return CPROF_ACTION_STARTED;
}

enum cprof_action_outcome cprof_actions_do(struct cprof_actions *actions,
                                           const struct cprof_command *command, char *text,
                                           size_t text_bytes)
{
    if (!cprof_command_is_sound(command)) {
        (void)snprintf(text, text_bytes, "no such command, or a number out of bounds");
        return CPROF_ACTION_INVALID;
    }
    switch (command->verb) {
    case CPROF_VERB_PROFILE:
        return take_profile(actions, command, text, text_bytes);
    case CPROF_VERB_STACKS:
        return write_stacks(actions, text, text_bytes);
    default:
        return change(actions, command, text, text_bytes);
    }
}

const struct cprof_settings *cprof_actions_settings(const struct cprof_actions *actions)
{
    return &actions->settings;
}

/* Who asked by a letter or a file reads the answer in the log. False: there may be more. */
static bool empty_ring(struct cprof_actions *actions)
{
    struct cprof_command command;
    struct cprof_error answer;

    for (int i = 0; i < COMMANDS_A_TURN; i++) {
        if (!cprof_commands_take(actions->commands, &actions->next, &command)) {
            return true;
        }
        if (cprof_actions_do(actions, &command, answer.text, sizeof(answer.text)) ==
            CPROF_ACTION_REFUSED) {
            cprof_log(CPROF_LOG_WARNING, "a command by %s is not carried out: %s",
                      cprof_origin_name(command.origin), answer.text);
        }
    }
    return false;
}

/* Many strokes are one; the commands stand in the ring. */
static void hear(void *context, short events)
{
    struct cprof_actions *actions = context;
    char strokes[4096];

    (void)events;
    cprof_loop_remove_watch(actions->loop, &actions->bell);
    if (read(actions->bell.fd, strokes, sizeof(strokes)) > 0) {
        (void)empty_ring(actions);
    }
    actions->pause.due_ns = cprof_now_ns() + PAUSE_NS;
}

/* Takes what came during the pause, or before there was a gateway. */
static void end_pause(void *context, uint64_t now_ns)
{
    struct cprof_actions *actions = context;

    if (!empty_ring(actions) || !cprof_loop_add_watch(actions->loop, &actions->bell)) {
        actions->pause.due_ns = now_ns + PAUSE_NS;
    }
}

struct cprof_actions *cprof_actions_create(const struct cprof_config *config,
                                           const struct cprof_segment *segment, int bell_fd,
                                           struct cprof_loop *loop,
                                           const struct cprof_actions_host *host,
                                           struct cprof_error *error)
{
    struct cprof_actions *actions = calloc(1, sizeof(*actions));

    if (!actions) {
        cprof_fail(error, "no memory for the commands");
        return NULL;
    }
    actions->config = config;
    actions->control = cprof_segment_control(segment);
    actions->commands = cprof_segment_commands(segment);
    actions->loop = loop;
    actions->host = *host;
    actions->settings = read_settings(config, &actions->control->switches);
    actions->bell = (struct cprof_loop_watch){
        .fd = bell_fd, .events = POLLIN, .ready = hear, .context = actions};
    actions->pause = (struct cprof_loop_timer){
        .due_ns = CPROF_LOOP_NEVER, .fire = end_pause, .context = actions};
    if (!cprof_loop_add_timer(loop, &actions->pause)) {
        cprof_fail(error, "the loop has no place for the commands");
        free(actions);
        return NULL;
    }
    if (!actions->settings.on) {
        cprof_log(CPROF_LOG_WARNING, "profiling is off, as it was set before this start");
    }
    return actions;
}

void cprof_actions_listen(struct cprof_actions *actions)
{
    actions->pause.due_ns = actions->bell.fd < 0 ? CPROF_LOOP_NEVER : 0;
}

void cprof_actions_destroy(struct cprof_actions *actions)
{
    if (actions) {
        cprof_loop_remove_watch(actions->loop, &actions->bell);
        cprof_loop_remove_timer(actions->loop, &actions->pause);
        free(actions);
    }
}
