/* commands.c - see commands.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_SHIFT   56u
#define ORIGIN_SHIFT 48u
#define KINDS_SHIFT  40u
#define BYTE_MASK    UINT64_C(0xff)
#define UNUSED_MASK  (BYTE_MASK << 32u)

#define TEXT_BYTES_MAX         128u
#define WORDS_MAX              4u /* one more than any command has */
#define PROFILE_SECONDS_COMMON 30u

#define ACCEPTED                                                                                   \
    "profile [SECONDS] [cpu|wall|cpu,wall], stacks, on, off, toggle, kinds cpu|wall|cpu,wall|"     \
    "default, period MS|default, upload on|off, interval SECONDS|default"

const char *cprof_origin_name(uint32_t origin)
{
    static const char *const names[CPROF_ORIGIN_COUNT] = {
        [CPROF_ORIGIN_FIFO] = "fifo",   [CPROF_ORIGIN_HOOK] = "hook",
        [CPROF_ORIGIN_ALARM] = "alarm", [CPROF_ORIGIN_ROUTE] = "route",
        [CPROF_ORIGIN_HTTP] = "HTTP",
    };

    return origin < CPROF_ORIGIN_COUNT && names[origin] ? names[origin] : "somebody";
}

static bool parse_number(const char *text, uint32_t lowest, uint32_t highest, uint32_t *number)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < lowest ||
        value > highest) {
        return false;
    }
    *number = (uint32_t)value;
    return true;
}

static bool parse_number_or_default(const char *text, uint32_t highest, uint32_t *number)
{
    if (strcmp(text, "default") == 0) {
        *number = 0;
        return true;
    }
    return parse_number(text, 1, highest, number);
}

static bool parse_kinds(const char *text, uint32_t *kinds)
{
    if (strcmp(text, "cpu") == 0) {
        *kinds = CPROF_KIND_CPU;
    } else if (strcmp(text, "wall") == 0) {
        *kinds = CPROF_KIND_WALL;
    } else if (strcmp(text, "cpu,wall") == 0 || strcmp(text, "wall,cpu") == 0 ||
               strcmp(text, "both") == 0) {
        *kinds = CPROF_KINDS_ALL;
    } else {
        return false;
    }
    return true;
}

static bool parse_profile(struct cprof_command *command, char *const *words, size_t count)
{
    size_t next = 1;

    command->value = PROFILE_SECONDS_COMMON;
    if (next < count && parse_number(words[next], 1, CPROF_PROFILE_SECONDS_MAX, &command->value)) {
        next++;
    }
    if (next < count && parse_kinds(words[next], &command->kinds)) {
        next++;
    }
    return next == count;
}

static bool parse_setting(struct cprof_command *command, const char *value)
{
    switch (command->name) {
    case CPROF_COMMAND_KINDS:
        return strcmp(value, "default") == 0 || parse_kinds(value, &command->kinds);
    case CPROF_COMMAND_PERIOD:
        return parse_number_or_default(value, CPROF_PERIOD_MS_MAX, &command->value);
    case CPROF_COMMAND_INTERVAL:
        return parse_number_or_default(value, CPROF_INTERVAL_S_MAX, &command->value);
    case CPROF_COMMAND_UPLOAD:
        command->value = strcmp(value, "on") == 0;
        return command->value || strcmp(value, "off") == 0;
    default:
        return false;
    }
}

static uint32_t name_of(const char *word)
{
    static const char *const names[CPROF_COMMAND_COUNT] = {
        [CPROF_COMMAND_PROFILE] = "profile",
        [CPROF_COMMAND_STACKS] = "stacks",
        [CPROF_COMMAND_ON] = "on",
        [CPROF_COMMAND_OFF] = "off",
        [CPROF_COMMAND_TOGGLE] = "toggle",
        [CPROF_COMMAND_KINDS] = "kinds",
        [CPROF_COMMAND_PERIOD] = "period",
        [CPROF_COMMAND_UPLOAD] = "upload",
        [CPROF_COMMAND_INTERVAL] = "interval",
    };

    for (uint32_t name = 1; name < CPROF_COMMAND_COUNT; name++) {
        if (strcmp(word, names[name]) == 0) {
            return name;
        }
    }
    return 0;
}

static bool parse_words(struct cprof_command *command, char *const *words, size_t count)
{
    command->name = count > 0 ? name_of(words[0]) : 0;
    switch (command->name) {
    case 0:
        return false;
    case CPROF_COMMAND_PROFILE:
        return parse_profile(command, words, count);
    case CPROF_COMMAND_STACKS:
    case CPROF_COMMAND_ON:
    case CPROF_COMMAND_OFF:
    case CPROF_COMMAND_TOGGLE:
        return count == 1;
    default:
        return count == 2 && parse_setting(command, words[1]);
    }
}

/* Cuts `text` into its words; returns how many, at most WORDS_MAX. */
static size_t split(char *text, char *words[WORDS_MAX])
{
    size_t count = 0;
    char *word;

    while (count < WORDS_MAX && (word = strsep(&text, " \t\r\n"))) {
        if (word[0] != '\0') {
            words[count++] = word;
        }
    }
    return count;
}

bool cprof_command_parse(struct cprof_command *command, const char *text, struct cprof_error *error)
{
    char copy[TEXT_BYTES_MAX], *words[WORDS_MAX];
    size_t length = strnlen(text, sizeof(copy));

    *command = (struct cprof_command){0};
    if (length < sizeof(copy)) {
        memcpy(copy, text, length + 1);
        if (parse_words(command, words, split(copy, words))) {
            return true;
        }
    }
    return cprof_fail(error, "\"%.40s\" is no command; accepted: " ACCEPTED, text);
}

bool cprof_command_is_sound(const struct cprof_command *command)
{
    if (command->origin == 0 || command->origin >= CPROF_ORIGIN_COUNT ||
        command->kinds & ~(uint32_t)CPROF_KINDS_ALL) {
        return false;
    }
    switch (command->name) {
    case CPROF_COMMAND_PROFILE:
        return command->value >= 1 && command->value <= CPROF_PROFILE_SECONDS_MAX;
    case CPROF_COMMAND_STACKS:
    case CPROF_COMMAND_ON:
    case CPROF_COMMAND_OFF:
    case CPROF_COMMAND_TOGGLE:
        return command->value == 0 && command->kinds == 0;
    case CPROF_COMMAND_KINDS:
        return command->value == 0;
    case CPROF_COMMAND_PERIOD:
        return command->value <= CPROF_PERIOD_MS_MAX && command->kinds == 0;
    case CPROF_COMMAND_UPLOAD:
        return command->value <= 1 && command->kinds == 0;
    case CPROF_COMMAND_INTERVAL:
        return command->value <= CPROF_INTERVAL_S_MAX && command->kinds == 0;
    default:
        return false;
    }
}

static uint64_t pack(const struct cprof_command *command)
{
    return (uint64_t)command->name << NAME_SHIFT | (uint64_t)command->origin << ORIGIN_SHIFT |
           (uint64_t)command->kinds << KINDS_SHIFT | command->value;
}

static bool unpack(struct cprof_command *command, uint64_t word)
{
    *command = (struct cprof_command){
        .name = (uint32_t)(word >> NAME_SHIFT & BYTE_MASK),
        .origin = (uint32_t)(word >> ORIGIN_SHIFT & BYTE_MASK),
        .kinds = (uint32_t)(word >> KINDS_SHIFT & BYTE_MASK),
        .value = (uint32_t)word,
    };
    return !(word & UNUSED_MASK) && cprof_command_is_sound(command);
}

bool cprof_commands_put(struct cprof_commands *commands, const struct cprof_command *command)
{
    uint64_t word = pack(command);
    uint32_t first;

    if (!cprof_command_is_sound(command)) {
        return false;
    }
    first = atomic_fetch_add(&commands->next, 1);
    for (uint32_t i = 0; i < CPROF_COMMANDS_MAX; i++) {
        uint64_t free_word = 0;

        if (atomic_compare_exchange_strong(&commands->entries[(first + i) % CPROF_COMMANDS_MAX],
                                           &free_word, word)) {
            return true;
        }
    }
    atomic_fetch_add(&commands->refused, 1);
    return false;
}

/* Once round, from behind the place of the last one: what one writer put comes out in its order. */
bool cprof_commands_take(struct cprof_commands *commands, uint32_t *next,
                         struct cprof_command *command)
{
    for (uint32_t i = 0; i < CPROF_COMMANDS_MAX; i++) {
        uint32_t place = (*next + i) % CPROF_COMMANDS_MAX;
        uint64_t word = atomic_exchange(&commands->entries[place], 0);

        if (word && unpack(command, word)) {
            *next = place + 1;
            return true;
        }
    }
    return false;
}

bool cprof_bell_create(struct cprof_bell *bell, struct cprof_error *error)
{
    struct stat status;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return cprof_fail_errno(error, errno, "the commands' bell: pipe2");
    }
    if (fstat(fds[1], &status) != 0) {
        cprof_fail_errno(error, errno, "the commands' bell: fstat");
        close(fds[0]);
        close(fds[1]);
        return false;
    }
    *bell = (struct cprof_bell){
        .read_fd = fds[0], .write_fd = fds[1], .device = status.st_dev, .inode = status.st_ino};
    return true;
}

/* A full pipe rings already. */
void cprof_bell_ring(const struct cprof_bell *bell)
{
    static const char stroke = 1;
    struct stat status;

    if (fstat(bell->write_fd, &status) == 0 && status.st_dev == bell->device &&
        status.st_ino == bell->inode && write(bell->write_fd, &stroke, sizeof(stroke)) < 0) {
        return;
    }
}
