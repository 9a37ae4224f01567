/* fuzz_form.c - POST /actions/COMMAND (gateway/web/commands.h): a form's fields, in the parts in
 * which they arrive. Each part of the input is a byte (1: it goes on with the field before it; 2:
 * it has no name), a name and a value, both ended by a NUL; the first name is the command. What is
 * carried out must be sound.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "../../gateway/web/commands.h"
#include "../../gateway/web/request_state.h"
#include "../unit/expect.h"
#include "fuzz.h"

enum { GOES_ON = 1, NAMELESS = 2 };

/* Stands for the one of command_runner.c. */
enum cprof_command_outcome cprof_command_run(struct cprof_command_runner *runner,
                                             const struct cprof_command *command, char *text,
                                             size_t text_bytes)
{
    (void)runner;
    EXPECT(cprof_command_is_sound(command) && command->origin == CPROF_ORIGIN_HTTP);
    (void)snprintf(text, text_bytes, "done");
    return CPROF_OUTCOME_DONE;
}

static const char *next_text(const char **at, const char *end)
{
    const char *text = *at;

    *at = text + strlen(text) + (text + strlen(text) < end);
    return text;
}

static void fill(struct cprof_web_request *request, const char *at, const char *end)
{
    size_t offset = 0;

    while (at < end) {
        unsigned how = (unsigned char)*at++;
        const char *name = next_text(&at, end), *value = next_text(&at, end);

        offset = how & GOES_ON ? offset : 0;
        if (!cprof_web_request_add_field(request, how & NAMELESS ? NULL : name, value, offset,
                                         strlen(value))) {
            return;
        }
        offset += strlen(value);
    }
}

static const struct cprof_web_site site;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cprof_web_request *request = calloc(1, sizeof(*request));
    char *text = calloc(1, size + 1);
    const char *at = text;

    EXPECT(request && text);
    if (size > 0) {
        memcpy(text, data, size);
    }
    request->path = next_text(&at, text + size);
    fill(request, at, text + size);
    cprof_web_command(&site, request, request->path);
    EXPECT(request->answered && (request->status == 200 || request->status == 400));
    EXPECT(request->byte_count > 0 && request->bytes[request->byte_count - 1] == '\n');
    cprof_web_request_free(request);
    free(text);
    return 0;
}
