/* test_incidents.c - see gateway/sinks/incidents.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/sinks/incidents.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "expect.h"

#define S UINT64_C(1000000000)

static struct cprof_config config;

static void begin_test(uint32_t keep)
{
    config = (struct cprof_config){.output_keep = keep};
    (void)snprintf(config.output_dir, sizeof(config.output_dir), "/tmp/test_incidents.XXXXXX");
    EXPECT(mkdtemp(config.output_dir));
}

/* A file that is there already; its descriptor is the caller's. */
static int make_file(const char *name)
{
    int directory = open(config.output_dir, O_RDONLY | O_DIRECTORY);
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

    EXPECT(fd >= 0);
    close(directory);
    return fd;
}

static bool has(const char *name)
{
    int directory = open(config.output_dir, O_RDONLY | O_DIRECTORY);
    bool found = faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;

    close(directory);
    return found;
}

static unsigned count_files(void)
{
    DIR *names = opendir(config.output_dir);
    unsigned count = 0;

    EXPECT(names);
    for (struct dirent *entry; (entry = readdir(names));) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(names);
    return count;
}

static void end_test(void)
{
    char path[sizeof(config.output_dir) + 300];
    DIR *names = opendir(config.output_dir);

    EXPECT(names);
    for (struct dirent *entry; (entry = readdir(names));) {
        (void)snprintf(path, sizeof(path), "%s/%s", config.output_dir, entry->d_name);
        (void)unlink(path);
    }
    closedir(names);
    EXPECT(rmdir(config.output_dir) == 0);
}

static bool write_one(const char *ending, uint64_t time_s, uint32_t worker)
{
    const struct cprof_incident incident = {.what = "slow",
                                            .ending = ending,
                                            .time_unix_ns = time_s * S,
                                            .worker = worker,
                                            .bytes = (const uint8_t *)"text",
                                            .byte_count = 4};
    struct cprof_error error = {0};
    bool written = cprof_incident_write(&config, &incident, &error);

    EXPECT(written || error.text[0] != '\0');
    return written;
}

static void the_name_says_when_and_where_and_none_is_replaced(void)
{
    begin_test(0);
    EXPECT(write_one(".txt", 0, 2) && has("slow-19700101T000000.000Z-worker2.txt"));
    EXPECT(write_one(".txt", 0, 2) && has("slow-19700101T000000.001Z-worker2.txt"));
    EXPECT(write_one(".txt", 0, 3) && has("slow-19700101T000000.000Z-worker3.txt"));
    EXPECT(count_files() == 3);
    end_test();
}

static void the_newest_of_each_ending_are_kept_and_strange_names_stay(void)
{
    static const char *const strange[] = {
        "slow-19700101T000000.000Z-worker2.txt.bak", "slow-19700101T000000.000Z-worker.txt",
        "slow-19700101T000000.000Z-worker2x.txt",    "slow-when-worker2.txt",
        "harakiri-19700101T000000.000Z-worker2.txt", "slow"};
    const unsigned strange_count = sizeof(strange) / sizeof(strange[0]);

    begin_test(2);
    for (unsigned i = 0; i < strange_count; i++) {
        close(make_file(strange[i]));
    }
    for (uint32_t second = 0; second < 5; second++) {
        EXPECT(write_one(".txt", second, 9 - second) && write_one(".pb.gz", second, 1));
    }
    EXPECT(count_files() == strange_count + 4);
    EXPECT(has("slow-19700101T000003.000Z-worker6.txt"));
    EXPECT(has("slow-19700101T000004.000Z-worker5.txt"));
    EXPECT(has("slow-19700101T000004.000Z-worker1.pb.gz"));
    for (unsigned i = 0; i < strange_count; i++) {
        EXPECT(has(strange[i]));
    }
    end_test();
}

static void what_a_killed_gateway_was_writing_is_removed(void)
{
    int held;

    begin_test(1);
    close(make_file(".slow-19700101T000000.000Z-worker2.txt.tmp"));
    held = make_file(".slow-19700101T000001.000Z-worker2.txt.tmp");
    EXPECT(flock(held, LOCK_EX) == 0);
    EXPECT(write_one(".txt", 9, 1) && count_files() == 2);
    EXPECT(has(".slow-19700101T000001.000Z-worker2.txt.tmp"));
    close(held);
    EXPECT(write_one(".txt", 10, 1) && count_files() == 1);
    end_test();
}

static void without_a_directory_nothing_is_written(void)
{
    config = (struct cprof_config){0};
    EXPECT(write_one(".txt", 0, 1));
    (void)snprintf(config.output_dir, sizeof(config.output_dir), "/nowhere/at/all");
    EXPECT(!write_one(".txt", 0, 1));
}

int main(void)
{
    RUN(the_name_says_when_and_where_and_none_is_replaced);
    RUN(the_newest_of_each_ending_are_kept_and_strange_names_stay);
    RUN(what_a_killed_gateway_was_writing_is_removed);
    RUN(without_a_directory_nothing_is_written);
    return 0;
}
