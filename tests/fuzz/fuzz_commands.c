/* fuzz_commands.c - commands: as words of the ring in shared memory, and as the text of hooks and
 * alarms (shared/segment/commands.h). What is taken must be sound, and come out of the ring as it
 * was put in.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "../../shared/segment/commands.h"
#include "../unit/expect.h"
#include "fuzz.h"
#include "patches.h"

static void read_ring(const uint8_t *data, size_t size)
{
    static struct cprof_commands ring;
    struct cprof_command command;
    uint32_t next = 0, count = 0;

    memset(&ring, 0, sizeof(ring));
    fuzz_patch(&ring, sizeof(ring), data, size);
    while (cprof_commands_take(&ring, &next, &command)) {
        EXPECT(cprof_command_is_sound(&command));
        EXPECT(++count <= CPROF_COMMANDS_MAX);
    }
}

static void send(const struct cprof_command *command)
{
    static struct cprof_commands ring;
    struct cprof_command taken;
    uint32_t next = 0;

    memset(&ring, 0, sizeof(ring));
    EXPECT(cprof_commands_put(&ring, command));
    EXPECT(cprof_commands_take(&ring, &next, &taken));
    EXPECT(memcmp(&taken, command, sizeof(taken)) == 0);
}

static void read_text(const uint8_t *data, size_t size)
{
    struct cprof_command command;
    struct cprof_error error = {0};
    char *text = calloc(1, size + 1);

    EXPECT(text);
    if (size > 0) {
        memcpy(text, data, size);
    }
    if (cprof_command_parse(&command, text, &error)) {
        command.origin = CPROF_ORIGIN_HOOK;
        EXPECT(cprof_command_is_sound(&command));
        send(&command);
    } else {
        EXPECT(error.text[0] != '\0');
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_ring(data, size);
    read_text(data, size);
    return 0;
}
