/* test_directory.c - see gateway/sinks/directory.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/sinks/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../plugin/base/log.h"
#include "expect.h"

/* 2026-11-22 15:23:45.123456 UTC */
#define TIME_NS UINT64_C(1795361025123456000)
#define MS_NS   UINT64_C(1000000)
#define NAME    "cpu-20261122T152345.123Z-shop-web_1.pb.gz"

static char directory[64];
static struct cprof_config config;
static struct cprof_sink *sink;
static char log_lines[4096];

static void keep_line(const char *line)
{
    (void)strncat(log_lines, line, sizeof(log_lines) - strlen(log_lines) - 1);
}

static void in_directory(char *path, size_t path_bytes, const char *name)
{
    EXPECT((size_t)snprintf(path, path_bytes, "%s/%s", directory, name) < path_bytes);
}

static bool exists(const char *name)
{
    char path[512];
    struct stat status;

    in_directory(path, sizeof(path), name);
    return lstat(path, &status) == 0;
}

static void create(const char *name)
{
    char path[512];
    int fd;

    in_directory(path, sizeof(path), name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    EXPECT(fd >= 0);
    close(fd);
}

/* Counts, and removes when asked to. */
static unsigned entries(bool remove)
{
    DIR *names = opendir(directory);
    unsigned count = 0;

    EXPECT(names);
    for (struct dirent *entry; (entry = readdir(names)) != NULL;) {
        char path[512];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        count++;
        in_directory(path, sizeof(path), entry->d_name);
        EXPECT(!remove || unlink(path) == 0 || rmdir(path) == 0);
    }
    (void)closedir(names);
    return count;
}

static void begin_test(void)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/test_directory.XXXXXX");
    EXPECT(mkdtemp(directory));
    memset(&config, 0, sizeof(config));
    (void)snprintf(config.output_dir, sizeof(config.output_dir), "%s", directory);
    (void)snprintf(config.service, sizeof(config.service), "shop");
    (void)snprintf(config.instance, sizeof(config.instance), "web/1");
    log_lines[0] = '\0';
    cprof_log_setup(keep_line, CPROF_LOG_ERROR);
}

static void open_sink(void)
{
    sink = cprof_directory_sink_create(&config);
    EXPECT(sink);
}

static void end_test(void)
{
    sink->destroy(sink);
    (void)entries(true);
    EXPECT(rmdir(directory) == 0);
}

static bool deliver_kind(enum cprof_kind kind, uint64_t time_unix_ns, const char *content,
                         bool may_be_delivered)
{
    struct cprof_finished_profile profile = {
        .kind = kind,
        .bytes = (const uint8_t *)content,
        .byte_count = strlen(content),
        .time_unix_ns = time_unix_ns,
        .may_be_delivered = may_be_delivered,
    };

    return sink->deliver(sink, &profile);
}

static bool deliver(uint64_t time_unix_ns, const char *content, bool may_be_delivered)
{
    return deliver_kind(CPROF_KIND_CPU, time_unix_ns, content, may_be_delivered);
}

static void a_profile_is_a_file_with_time_service_and_instance_in_its_name(void)
{
    char path[512], content[16] = "";
    struct stat status;
    int fd;

    begin_test();
    open_sink();
    EXPECT(deliver(TIME_NS, "profile", false));
    in_directory(path, sizeof(path), NAME);
    EXPECT(stat(path, &status) == 0 && (status.st_mode & 07777) == 0600);
    fd = open(path, O_RDONLY);
    EXPECT(read(fd, content, sizeof(content)) == 7 && strcmp(content, "profile") == 0);
    close(fd);
    EXPECT(entries(false) == 1 && log_lines[0] == '\0');
    end_test();
}

static void long_and_strange_names_are_bounded(void)
{
    begin_test();
    memset(config.service, 's', sizeof(config.service) - 1);
    memset(config.instance, '\xc3', sizeof(config.instance) - 1);
    open_sink();
    EXPECT(deliver(UINT64_MAX, "profile", false));
    EXPECT(deliver(0, "profile", false));
    EXPECT(entries(false) == 2 && log_lines[0] == '\0');
    end_test();
}

static void an_existing_file_is_never_overwritten(void)
{
    begin_test();
    open_sink();
    create(NAME);
    EXPECT(deliver(TIME_NS, "profile", false));
    EXPECT(exists("cpu-20261122T152345.124Z-shop-web_1.pb.gz") && entries(false) == 2);
    end_test();
}

static void a_profile_that_a_killed_gateway_delivered_is_not_written_twice(void)
{
    begin_test();
    open_sink();
    EXPECT(deliver(TIME_NS, "profile", false));
    EXPECT(deliver(TIME_NS, "profile", true));
    EXPECT(entries(false) == 1);
    EXPECT(deliver(TIME_NS + MS_NS, "profile", true));
    EXPECT(entries(false) == 2);
    end_test();
}

static void a_link_under_the_temporary_name_is_not_followed(void)
{
    char path[512], victim[512];

    begin_test();
    open_sink();
    in_directory(victim, sizeof(victim), "victim");
    in_directory(path, sizeof(path), "." NAME ".tmp");
    EXPECT(symlink(victim, path) == 0);
    EXPECT(!deliver(TIME_NS, "profile", false));
    EXPECT(!exists("victim") && !exists(NAME));
    end_test();
}

static void the_newest_files_of_our_own_are_kept_and_nothing_else_is_touched(void)
{
    static const char *const others[] = {
        "cpu-20200101T000000.000Z-shop-web_2.pb.gz",
        "cpu-20200101T000000.000Z-shop2-web_1.pb.gz",
        "cpu-20200101T000000.000Z-shop-web_1.pb.gz.bak",
        "xcpu-20200101T000000.000Z-shop-web_1.pb.gz",
        "cpu-20200101T000000.00Z-shop-web_1.pb.gz",
        "cpu-2020x101T000000.000Z-shop-web_1.pb.gz",
        "wall-20200101T000000.000Z-shop-web_1.pb.gz",
        "wall20200101T000000.000Z-shop-web_1.pb.gz",
        "cpu--20200101T000000.000Z-shop-web_1.pb.gz",
        "cpu-",
    };
    const unsigned other_count = sizeof(others) / sizeof(*others);

    begin_test();
    config.output_keep = 2;
    open_sink();
    for (unsigned i = 0; i < other_count; i++) {
        create(others[i]);
    }
    create("cpu-20200101T000000.000Z-shop-web_1.pb.gz");
    for (unsigned i = 0; i < 4; i++) {
        EXPECT(deliver(TIME_NS + i * MS_NS, "profile", false));
    }
    EXPECT(entries(false) == other_count + 2);
    EXPECT(exists("cpu-20261122T152345.125Z-shop-web_1.pb.gz"));
    EXPECT(exists("cpu-20261122T152345.126Z-shop-web_1.pb.gz"));
    end_test();
}

static void each_kind_has_its_own_files_and_its_own_number_of_them(void)
{
    begin_test();
    config.output_keep = 2;
    open_sink();
    for (unsigned i = 0; i < 4; i++) {
        EXPECT(deliver_kind(CPROF_KIND_CPU, TIME_NS + i * MS_NS, "profile", false));
        EXPECT(deliver_kind(CPROF_KIND_WALL, TIME_NS + i * MS_NS, "profile", false));
    }
    EXPECT(entries(false) == 4);
    EXPECT(exists("cpu-20261122T152345.125Z-shop-web_1.pb.gz"));
    EXPECT(exists("cpu-20261122T152345.126Z-shop-web_1.pb.gz"));
    EXPECT(exists("wall-20261122T152345.125Z-shop-web_1.pb.gz"));
    EXPECT(exists("wall-20261122T152345.126Z-shop-web_1.pb.gz"));
    end_test();
}

static void of_two_kinds_the_one_that_is_missing_is_delivered(void)
{
    begin_test();
    open_sink();
    EXPECT(deliver_kind(CPROF_KIND_CPU, TIME_NS, "profile", false));
    EXPECT(deliver_kind(CPROF_KIND_CPU, TIME_NS, "profile", true));
    EXPECT(deliver_kind(CPROF_KIND_WALL, TIME_NS, "profile", true));
    EXPECT(entries(false) == 2 && exists(NAME));
    EXPECT(exists("wall-20261122T152345.123Z-shop-web_1.pb.gz"));
    end_test();
}

static void with_keep_0_all_files_stay(void)
{
    begin_test();
    open_sink();
    for (unsigned i = 0; i < 100; i++) {
        EXPECT(deliver(TIME_NS + i * MS_NS, "profile", false));
    }
    EXPECT(entries(false) == 100);
    end_test();
}

static void stale_temporaries_of_our_own_are_removed_at_the_start(void)
{
    begin_test();
    create("." NAME ".tmp");
    create(".wall-20261122T152345.123Z-shop-web_1.pb.gz.tmp");
    create(".heap-20261122T152345.123Z-shop-web_1.pb.gz.tmp");
    create(".cpu-20261122T152345.123Z-shop-web_2.pb.gz.tmp");
    create(".tmp");
    create("..tmp");
    open_sink();
    EXPECT(!exists("." NAME ".tmp"));
    EXPECT(!exists(".wall-20261122T152345.123Z-shop-web_1.pb.gz.tmp") && entries(false) == 4);
    end_test();
}

static unsigned times_in_log(const char *text)
{
    unsigned times = 0;

    for (const char *at = log_lines; (at = strstr(at, text)) != NULL; at++) {
        times++;
    }
    return times;
}

static void a_missing_directory_is_one_warning_and_one_notice(void)
{
    begin_test();
    open_sink();
    EXPECT(rmdir(directory) == 0);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(!deliver(TIME_NS, "profile", false));
    }
    EXPECT(times_in_log("warning: cannot write a profile to /tmp/test_directory.") == 1);
    EXPECT(times_in_log("No such file or directory; profiles are dropped until it works again") ==
           1);
    EXPECT(mkdir(directory, 0700) == 0);
    EXPECT(deliver(TIME_NS, "profile", false) && deliver(TIME_NS, "profile", false));
    EXPECT(times_in_log("profiles are written to") == 1 && times_in_log("\n") == 2);
    end_test();
}

static void a_write_that_fails_half_way_leaves_nothing(void)
{
    struct rlimit before, small;

    begin_test();
    open_sink();
    /* A write beyond the limit stops there, as on a full disk. */
    (void)signal(SIGXFSZ, SIG_IGN);
    EXPECT(getrlimit(RLIMIT_FSIZE, &before) == 0);
    small = before;
    small.rlim_cur = 4;
    EXPECT(setrlimit(RLIMIT_FSIZE, &small) == 0);
    EXPECT(!deliver(TIME_NS, "profile", false));
    EXPECT(setrlimit(RLIMIT_FSIZE, &before) == 0);
    EXPECT(entries(false) == 0 && times_in_log("warning") == 1);
    EXPECT(deliver(TIME_NS, "profile", false));
    end_test();
}

int main(void)
{
    RUN(a_profile_is_a_file_with_time_service_and_instance_in_its_name);
    RUN(long_and_strange_names_are_bounded);
    RUN(an_existing_file_is_never_overwritten);
    RUN(a_profile_that_a_killed_gateway_delivered_is_not_written_twice);
    RUN(a_link_under_the_temporary_name_is_not_followed);
    RUN(the_newest_files_of_our_own_are_kept_and_nothing_else_is_touched);
    RUN(each_kind_has_its_own_files_and_its_own_number_of_them);
    RUN(of_two_kinds_the_one_that_is_missing_is_delivered);
    RUN(with_keep_0_all_files_stay);
    RUN(stale_temporaries_of_our_own_are_removed_at_the_start);
    RUN(a_missing_directory_is_one_warning_and_one_notice);
    RUN(a_write_that_fails_half_way_leaves_nothing);
    return 0;
}
