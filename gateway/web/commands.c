/* commands.c - see commands.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "commands.h"

#include <stdio.h>

#define TEXT_BYTES 128

static const char *parameter(const struct cprof_web_request *request, const char *name)
{
    const char *value = cprof_web_parameter(request, name);

    return value ? value : "";
}

/* The form in the words that hooks and alarms use. What is too long for the text is no command: cut
 * short, it would still be read as one. */
static bool read_form(const char *name, const struct cprof_web_request *request,
                      struct cprof_command *command, struct cprof_error *error)
{
    char text[TEXT_BYTES];
    int length = snprintf(text, sizeof(text), "%s %s %s %s", name, parameter(request, "seconds"),
                          parameter(request, "kind"), parameter(request, "value"));

    if (length < 0 || length >= (int)sizeof(text)) {
        return cprof_fail(error, "the form's values are too long");
    }
    while (length > 0 && text[length - 1] == ' ') {
        text[--length] = '\0'; /* of fields that are not there: messages quote the text */
    }
    return cprof_command_parse(command, text, error);
}

static unsigned status_of(enum cprof_command_outcome outcome)
{
    switch (outcome) {
    case CPROF_OUTCOME_DONE:
        return 200;
    case CPROF_OUTCOME_STARTED:
        return 202;
    case CPROF_OUTCOME_REFUSED:
        return 409;
    case CPROF_OUTCOME_INVALID:
        break;
    }
    return 400;
}

void cprof_web_command(const struct cprof_web_site *site, struct cprof_web_request *request,
                       const char *name)
{
    struct cprof_command command;
    struct cprof_error text;
    enum cprof_command_outcome outcome = CPROF_OUTCOME_INVALID;

    if (read_form(name, request, &command, &text)) {
        command.origin = CPROF_ORIGIN_HTTP;
        outcome = cprof_command_run(site->commands, &command, text.text, sizeof(text.text));
    }
    cprof_web_answer_line(request, status_of(outcome), "%s", text.text);
}
