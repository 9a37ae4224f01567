/* test_commands.c - the words of commands, the ring that they travel in, and the bell.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../shared/segment/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "expect.h"

#define WRITERS     4
#define PER_WRITER  20000u
#define VALUE_COUNT 600u

static struct cprof_commands ring;

static bool reads(const char *text, uint32_t name, uint32_t kinds, uint32_t value)
{
    struct cprof_command command;
    struct cprof_error error;

    return cprof_command_parse(&command, text, &error) && command.name == name &&
           command.kinds == kinds && command.value == value;
}

static void words_become_commands(void)
{
    EXPECT(reads("profile", CPROF_COMMAND_PROFILE, 0, 30));
    EXPECT(reads(" profile  5 ", CPROF_COMMAND_PROFILE, 0, 5));
    EXPECT(reads("profile 600 wall", CPROF_COMMAND_PROFILE, CPROF_KIND_WALL, 600));
    EXPECT(reads("profile cpu,wall", CPROF_COMMAND_PROFILE, CPROF_KINDS_ALL, 30));
    EXPECT(reads("stacks", CPROF_COMMAND_STACKS, 0, 0));
    EXPECT(reads("toggle\n", CPROF_COMMAND_TOGGLE, 0, 0));
    EXPECT(reads("kinds cpu", CPROF_COMMAND_KINDS, CPROF_KIND_CPU, 0));
    EXPECT(reads("kinds default", CPROF_COMMAND_KINDS, 0, 0));
    EXPECT(reads("period 1000", CPROF_COMMAND_PERIOD, 0, 1000));
    EXPECT(reads("upload on", CPROF_COMMAND_UPLOAD, 0, 1));
    EXPECT(reads("upload off", CPROF_COMMAND_UPLOAD, 0, 0));
    EXPECT(reads("interval 86400", CPROF_COMMAND_INTERVAL, 0, 86400));
}

static void anything_else_is_refused(void)
{
    static const char *const texts[] = {
        "",
        "profil",
        "profile 0",
        "profile 601",
        "profile -1",
        "profile 5s",
        "stacks 1",
        "kinds",
        "kinds heap",
        "period 0",
        "period",
        "upload",
        "upload 1",
        "interval 86401",
        "profile 5 cpu wall",
        "on on",
        "Profile 5",
        "profile +5",
        "profile 99999999999999999999",
    };
    char long_text[4096];
    struct cprof_command command;
    struct cprof_error error;

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        EXPECT(!cprof_command_parse(&command, texts[i], &error));
        EXPECT(strstr(error.text, "accepted: profile"));
    }
    memset(long_text, ' ', sizeof(long_text));
    memcpy(long_text, "on", 2);
    long_text[sizeof(long_text) - 1] = '\0';
    EXPECT(!cprof_command_parse(&command, long_text, &error));
}

static void commands_come_out_in_order_and_once(void)
{
    struct cprof_command command = {.name = CPROF_COMMAND_PERIOD, .origin = CPROF_ORIGIN_HOOK}, got;
    uint32_t next = 0;

    for (uint32_t turn = 1; turn <= 10; turn++) {
        for (command.value = 1; command.value <= CPROF_COMMANDS_MAX; command.value++) {
            EXPECT(cprof_commands_put(&ring, &command));
        }
        EXPECT(!cprof_commands_put(&ring, &command));
        EXPECT(atomic_load(&ring.refused) == turn);
        for (uint32_t i = 0; i < CPROF_COMMANDS_MAX; i++) {
            EXPECT(cprof_commands_take(&ring, &next, &got));
            EXPECT(got.name == CPROF_COMMAND_PERIOD && got.origin == CPROF_ORIGIN_HOOK);
        }
        EXPECT(!cprof_commands_take(&ring, &next, &got));
    }
}

static void words_that_are_no_command_are_dropped(void)
{
    struct cprof_command got;
    uint32_t next = UINT32_MAX;

    atomic_store(&ring.entries[3], UINT64_MAX);
    atomic_store(&ring.entries[9], 1);
    atomic_store(&ring.entries[12], UINT64_C(1) << 56 | UINT64_C(1) << 48 | 601); /* 601 s */
    EXPECT(!cprof_commands_take(&ring, &next, &got));
    EXPECT(atomic_load(&ring.entries[3]) == 0 && atomic_load(&ring.entries[9]) == 0);
}

static void *write_many(void *unused)
{
    struct cprof_command command = {.name = CPROF_COMMAND_PROFILE, .origin = CPROF_ORIGIN_ROUTE};

    (void)unused;
    for (uint32_t i = 0; i < PER_WRITER; i++) {
        command.value = i % VALUE_COUNT + 1;
        while (!cprof_commands_put(&ring, &command)) {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void many_writers_lose_nothing(void)
{
    static uint32_t seen[VALUE_COUNT + 1];
    pthread_t writers[WRITERS];
    struct cprof_command got;
    uint32_t next = 0, taken = 0;

    for (int i = 0; i < WRITERS; i++) {
        EXPECT(pthread_create(&writers[i], NULL, write_many, NULL) == 0);
    }
    while (taken < WRITERS * PER_WRITER) {
        if (cprof_commands_take(&ring, &next, &got)) {
            seen[got.value]++;
            taken++;
        } else {
            (void)sched_yield();
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        EXPECT(pthread_join(writers[i], NULL) == 0);
    }
    for (uint32_t value = 1; value <= VALUE_COUNT; value++) {
        uint32_t each = PER_WRITER / VALUE_COUNT + (value <= PER_WRITER % VALUE_COUNT);

        EXPECT(seen[value] == WRITERS * each);
    }
}

static void a_number_that_the_app_has_recycled_is_not_written_to(void)
{
    struct cprof_bell bell;
    struct cprof_error error;
    int other[2];
    char byte;

    EXPECT(cprof_bell_create(&bell, &error));
    cprof_bell_ring(&bell);
    EXPECT(read(bell.read_fd, &byte, 1) == 1);
    EXPECT(pipe2(other, O_NONBLOCK) == 0);
    EXPECT(dup2(other[1], bell.write_fd) == bell.write_fd);
    cprof_bell_ring(&bell);
    EXPECT(read(other[0], &byte, 1) < 0 && errno == EAGAIN);
    close(bell.write_fd);
    cprof_bell_ring(&bell);
    close(other[0]);
    close(other[1]);
    close(bell.read_fd);
}

int main(void)
{
    words_become_commands();
    anything_else_is_refused();
    commands_come_out_in_order_and_once();
    words_that_are_no_command_are_dropped();
    many_writers_lose_nothing();
    a_number_that_the_app_has_recycled_is_not_written_to();
    return 0;
}
