/* commands.c - see commands.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "commands.h"

#include <dlfcn.h>

#include "../../shared/base/log.h"
#include "option_values.h"

extern struct uwsgi_server uwsgi;

#define PROFILE_SECONDS 30u

static struct {
    struct cprof_commands *commands; /* NULL: nothing is profiled */
    struct cprof_bell bell;
} line;

bool cprof_host_commands_send(const struct cprof_command *command)
{
    bool sent = line.commands && cprof_commands_put(line.commands, command);

    if (sent) {
        cprof_bell_ring(&line.bell);
    }
    return sent;
}

static void send_or_say(const struct cprof_command *command)
{
    if (!cprof_host_commands_send(command)) {
        cprof_log(CPROF_LOG_WARNING, "a command by %s is not carried out: %s",
                  cprof_origin_name(command->origin),
                  line.commands ? "too many wait already" : "this server profiles nothing");
    }
}

static void send_text(const char *text, enum cprof_origin origin)
{
    struct cprof_command command;
    struct cprof_error error;

    if (!cprof_command_parse(&command, text, &error)) {
        cprof_log(CPROF_LOG_WARNING, "a command by %s: %s", cprof_origin_name(origin), error.text);
        return;
    }
    command.origin = origin;
    send_or_say(&command);
}

/* Always "done": uWSGI takes an instance down for a hook that failed in some phases. */
static int run_hook(char *text)
{
    send_text(text, CPROF_ORIGIN_HOOK);
    return 0;
}

static const char *alarm_text(const struct uwsgi_alarm_instance *alarm)
{
    return alarm->arg[0] ? alarm->arg : "profile";
}

static void check_alarm(struct uwsgi_alarm_instance *alarm)
{
    struct cprof_command command;
    struct cprof_error error;

    if (!cprof_command_parse(&command, alarm_text(alarm), &error)) {
        cprof_option_refuse("alarm", alarm->arg,
                            "cloudprofiler: and a command, as in "
                            "cloudprofiler:profile 30");
    }
}

static void run_alarm(struct uwsgi_alarm_instance *alarm, char *message, size_t message_bytes)
{
    (void)message, (void)message_bytes;
    send_text(alarm_text(alarm), CPROF_ORIGIN_ALARM);
}

void cprof_host_commands_register(void)
{
    static char name[] = "cloudprofiler";

    uwsgi_register_hook(name, run_hook);
    uwsgi_register_alarm(name, check_alarm, run_alarm);
}

static void write_stacks(int unused)
{
    (void)unused;
    send_or_say(&(struct cprof_command){.name = CPROF_COMMAND_STACKS, .origin = CPROF_ORIGIN_FIFO});
}

static void toggle(int unused)
{
    (void)unused;
    send_or_say(&(struct cprof_command){.name = CPROF_COMMAND_TOGGLE, .origin = CPROF_ORIGIN_FIFO});
}

static void take_profile(int unused)
{
    (void)unused;
    send_or_say(&(struct cprof_command){
        .name = CPROF_COMMAND_PROFILE, .origin = CPROF_ORIGIN_FIFO, .value = PROFILE_SECONDS});
}

/* uWSGI's table is no part of its header. Letters that somebody has taken are left to him. */
static void take_letters(void)
{
    static const struct {
        unsigned char letter;
        void (*run)(int);
    } letters[] = {{'d', write_stacks}, {'t', toggle}, {'k', take_profile}};
    void (**table)(int) = (void (**)(int))dlsym(RTLD_DEFAULT, "uwsgi_fifo_table");

    for (size_t i = 0; table && i < sizeof(letters) / sizeof(*letters); i++) {
        if (!table[letters[i].letter]) {
            table[letters[i].letter] = letters[i].run;
        } else {
            cprof_log(CPROF_LOG_INFO, "the fifo's letter %c is taken by another plugin",
                      letters[i].letter);
        }
    }
}

void cprof_host_commands_start(struct cprof_commands *commands, const struct cprof_bell *bell)
{
    line.commands = commands;
    line.bell = *bell;
    take_letters();
}
