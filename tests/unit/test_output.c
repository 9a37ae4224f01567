/* test_output.c - see gateway/sinks/output.h.
 *
 * SPDX-License-Identifier: MIT
 */
// flags: -Wl,--wrap=renameat2,--wrap=linkat,--wrap=renameat,--wrap=fsync,--wrap=flock
#include "../../gateway/sinks/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../shared/base/log.h"
#include "expect.h"

#define S       UINT64_C(1000000000)
#define MS      UINT64_C(1000000)
#define TIME_NS (UINT64_C(1795361025) * S + 123 * MS)
#define STAMP   "20261122T152345.123Z"

/* What the file system refuses, by errno; 0: nothing. */
static int no_flag, no_link, no_rename, no_directory_sync, no_file_sync, no_lock;

int __real_renameat2(int from_directory, const char *from, int to_directory, const char *to,
                     unsigned flags);
int __real_linkat(int from_directory, const char *from, int to_directory, const char *to,
                  int flags);
int __real_renameat(int from_directory, const char *from, int to_directory, const char *to);
int __real_fsync(int fd);
int __real_flock(int fd, int operation);
int __wrap_renameat2(int from_directory, const char *from, int to_directory, const char *to,
                     unsigned flags);
int __wrap_linkat(int from_directory, const char *from, int to_directory, const char *to,
                  int flags);
int __wrap_renameat(int from_directory, const char *from, int to_directory, const char *to);
int __wrap_fsync(int fd);
int __wrap_flock(int fd, int operation);

static bool is_refused(int reason)
{
    errno = reason ? reason : errno;
    return reason != 0;
}

int __wrap_renameat2(int from_directory, const char *from, int to_directory, const char *to,
                     unsigned flags)
{
    return is_refused(no_flag) ? -1
                               : __real_renameat2(from_directory, from, to_directory, to, flags);
}

int __wrap_linkat(int from_directory, const char *from, int to_directory, const char *to, int flags)
{
    return is_refused(no_link) ? -1 : __real_linkat(from_directory, from, to_directory, to, flags);
}

int __wrap_renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    return is_refused(no_rename) ? -1 : __real_renameat(from_directory, from, to_directory, to);
}

int __wrap_fsync(int fd)
{
    struct stat status;
    bool is_directory = fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);

    return is_refused(is_directory ? no_directory_sync : no_file_sync) ? -1 : __real_fsync(fd);
}

int __wrap_flock(int fd, int operation)
{
    return is_refused(no_lock) ? -1 : __real_flock(fd, operation);
}

static char directory[64];
static struct cprof_config config;
static struct cprof_output *output;
static struct cprof_error error;
static char log_lines[8192];

static void keep_line(const char *line)
{
    (void)strncat(log_lines, line, sizeof(log_lines) - strlen(log_lines) - 1);
}

struct path {
    char text[512];
};

static struct path in_directory(const char *name)
{
    struct path path;

    EXPECT((size_t)snprintf(path.text, sizeof(path.text), "%s/%s", directory, name) <
           sizeof(path.text));
    return path;
}

static bool has(const char *name)
{
    const struct path path = in_directory(name);
    struct stat status;

    return lstat(path.text, &status) == 0;
}

static int create(const char *name)
{
    const struct path path = in_directory(name);
    int fd = open(path.text, O_WRONLY | O_CREAT | O_EXCL, 0600);

    EXPECT(fd >= 0);
    return fd;
}

/* "SORT-STAMPaOWNERb": a name of the server whose output that is. */
static struct path name_of(const struct cprof_output *of, const char *before, const char *behind)
{
    struct path name;

    (void)snprintf(name.text, sizeof(name.text), "%s-%s%s", before, cprof_output_owner(of), behind);
    return name;
}

static bool has_of(const struct cprof_output *of, const char *before, const char *behind)
{
    const struct path name = name_of(of, before, behind);

    return has(name.text);
}

static int create_of(const struct cprof_output *of, const char *before, const char *behind)
{
    const struct path name = name_of(of, before, behind);

    return create(name.text);
}

static bool is_lock(const char *name)
{
    return strncmp(name, ".cloudprofiler-", strlen(".cloudprofiler-")) == 0;
}

/* But for locks. Counts, and removes all when asked to. */
static unsigned entries(bool remove)
{
    DIR *names = opendir(directory);
    unsigned count = 0;

    EXPECT(names);
    for (struct dirent *entry; (entry = readdir(names)) != NULL;) {
        const struct path path = in_directory(entry->d_name);

        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            count += !is_lock(entry->d_name);
            EXPECT(!remove || unlink(path.text) == 0);
        }
    }
    (void)closedir(names);
    return count;
}

static void begin_test(void)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/test_output.XXXXXX");
    EXPECT(mkdtemp(directory));
    memset(&config, 0, sizeof(config));
    (void)snprintf(config.output_dir, sizeof(config.output_dir), "%s", directory);
    (void)snprintf(config.service, sizeof(config.service), "shop");
    (void)snprintf(config.instance, sizeof(config.instance), "web/1");
    no_flag = no_link = no_rename = no_directory_sync = no_file_sync = no_lock = 0;
    log_lines[0] = '\0';
    cprof_log_setup(keep_line, CPROF_LOG_ERROR);
}

static struct cprof_output *open_output(void)
{
    struct cprof_output *opened = cprof_output_create(&config);

    EXPECT(opened);
    cprof_output_settle(opened);
    return opened;
}

static void begin_with_output(uint32_t keep)
{
    begin_test();
    config.output_keep = keep;
    output = open_output();
}

static void end_test(void)
{
    cprof_output_destroy(output);
    output = NULL;
    (void)entries(true);
    EXPECT(rmdir(directory) == 0);
}

static bool write_file(struct cprof_output *to, const char *sort, uint32_t worker,
                       const char *ending, uint64_t time_unix_ns)
{
    const struct cprof_output_file file = {.sort = sort,
                                           .worker = worker,
                                           .ending = ending,
                                           .time_unix_ns = time_unix_ns,
                                           .bytes = (const uint8_t *)"profile",
                                           .byte_count = 7};

    error.text[0] = '\0';
    return cprof_output_write(to, &file, &error);
}

static bool write_cpu(uint64_t time_unix_ns)
{
    return write_file(output, "cpu", 0, ".pb.gz", time_unix_ns);
}

static bool write_again(uint64_t time_unix_ns)
{
    const struct cprof_output_file file = {.sort = "cpu",
                                           .ending = ".pb.gz",
                                           .time_unix_ns = time_unix_ns,
                                           .bytes = (const uint8_t *)"profile",
                                           .byte_count = 7,
                                           .may_be_there = true};

    return cprof_output_write(output, &file, &error);
}

static void the_name_says_what_when_and_whose(void)
{
    static const char owner[] = "shop-web_1-";
    char content[16] = "";
    struct path path, name;
    struct stat status;
    int fd;

    begin_with_output(0);
    EXPECT(strncmp(cprof_output_owner(output), owner, strlen(owner)) == 0);
    EXPECT(strspn(cprof_output_owner(output) + strlen(owner), "0123456789abcdef") == 8);
    EXPECT(strlen(cprof_output_owner(output)) == strlen(owner) + 8);
    EXPECT(write_cpu(TIME_NS));
    name = name_of(output, "cpu-" STAMP, ".pb.gz");
    path = in_directory(name.text);
    EXPECT(stat(path.text, &status) == 0 && (status.st_mode & 07777) == 0600);
    fd = open(path.text, O_RDONLY);
    EXPECT(read(fd, content, sizeof(content)) == 7 && strcmp(content, "profile") == 0);
    close(fd);
    EXPECT(write_file(output, "slow", 12, ".txt", TIME_NS));
    EXPECT(has_of(output, "slow-" STAMP, "-worker12.txt"));
    EXPECT(entries(false) == 2 && log_lines[0] == '\0');
    end_test();
}

static void a_named_instance_stands_in_place_of_the_host(void)
{
    struct cprof_output *other;

    begin_test();
    (void)snprintf(config.instance_label, sizeof(config.instance_label), "blue");
    output = open_output();
    EXPECT(strncmp(cprof_output_owner(output), "shop-blue-", 10) == 0);
    cprof_output_destroy(output);
    (void)snprintf(config.instance, sizeof(config.instance), "another-host");
    other = output = open_output();
    EXPECT(strncmp(cprof_output_owner(other), "shop-blue-", 10) == 0);
    EXPECT(!strchr(cprof_output_owner(other) + 10, '-')); /* it is the first one's */
    end_test();
}

static void without_a_service_the_name_says_uwsgi(void)
{
    begin_test();
    config.service[0] = '\0';
    output = open_output();
    EXPECT(strncmp(cprof_output_owner(output), "uwsgi-web_1-", 12) == 0);
    end_test();
}

static void long_and_strange_names_are_bounded(void)
{
    begin_test();
    memset(config.service, 's', sizeof(config.service) - 1);
    memset(config.instance, '\xc3', sizeof(config.instance) - 1);
    output = open_output();
    EXPECT(write_file(output, "harakiri", UINT16_MAX, ".pb.gz", UINT64_MAX));
    EXPECT(write_cpu(0));
    EXPECT(entries(false) == 2 && log_lines[0] == '\0');
    end_test();
}

static void what_was_changed_for_the_name_still_counts(void)
{
    struct path first;

    begin_test();
    output = open_output();
    first = name_of(output, "", "");
    cprof_output_destroy(output);
    (void)snprintf(config.instance, sizeof(config.instance), "web:1");
    output = open_output();
    EXPECT(strcmp(first.text + strlen(first.text) - 8,
                  cprof_output_owner(output) + strlen(cprof_output_owner(output)) - 8) != 0);
    end_test();
}

static void of_two_servers_of_one_service_and_host_each_keeps_its_own(void)
{
    struct cprof_config other_config;
    struct cprof_output *other;

    begin_with_output(2);
    other_config = config;
    other_config.server_key = 1;
    other = cprof_output_create(&other_config);
    EXPECT(other);
    cprof_output_settle(other);
    EXPECT(strcmp(cprof_output_owner(output), cprof_output_owner(other)) != 0);
    for (unsigned i = 0; i < 4; i++) {
        EXPECT(write_file(output, "slow", 1, ".pb.gz", i * S));
        EXPECT(write_file(other, "slow", 1, ".pb.gz", i * S));
    }
    EXPECT(entries(false) == 4);
    EXPECT(has_of(output, "slow-19700101T000002.000Z", "-worker1.pb.gz"));
    EXPECT(has_of(output, "slow-19700101T000003.000Z", "-worker1.pb.gz"));
    EXPECT(has_of(other, "slow-19700101T000002.000Z", "-worker1.pb.gz"));
    EXPECT(has_of(other, "slow-19700101T000003.000Z", "-worker1.pb.gz"));
    cprof_output_destroy(other);
    end_test();
}

static void servers_that_are_alike_have_places_and_each_keeps_its_own(void)
{
    struct cprof_output *second, *third, *next;
    struct path owner;

    begin_with_output(1);
    second = open_output();
    owner = name_of(output, "", "-2");
    EXPECT(strcmp(owner.text + 1, cprof_output_owner(second)) == 0);
    third = open_output();
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(write_cpu(i * S));
        EXPECT(write_file(second, "cpu", 0, ".pb.gz", i * S));
        EXPECT(write_file(third, "cpu", 0, ".pb.gz", i * S));
    }
    EXPECT(entries(false) == 3);
    /* A place that is free again is taken by the next one, whose files the old ones are then. */
    cprof_output_destroy(second);
    next = open_output();
    EXPECT(strcmp(owner.text + 1, cprof_output_owner(next)) == 0);
    EXPECT(write_file(next, "cpu", 0, ".pb.gz", 9 * S) && entries(false) == 3);
    cprof_output_destroy(next);
    cprof_output_destroy(third);
    end_test();
}

static void another_users_lock_is_a_place_that_is_taken(void)
{
    struct path lock, owner, path;

    begin_with_output(0);
    owner = name_of(output, "", "-2");
    lock = name_of(output, ".cloudprofiler", ".lock");
    cprof_output_destroy(output);
    path = in_directory(lock.text);
    EXPECT(unlink(path.text) == 0 && symlink("/etc/passwd", path.text) == 0);
    output = open_output();
    EXPECT(strcmp(owner.text + 1, cprof_output_owner(output)) == 0);
    end_test();
}

static void without_locks_servers_that_are_alike_share_names(void)
{
    struct cprof_output *second;

    begin_test();
    no_lock = EOPNOTSUPP;
    output = open_output();
    second = open_output();
    EXPECT(strcmp(cprof_output_owner(output), cprof_output_owner(second)) == 0);
    EXPECT(write_cpu(TIME_NS) && write_file(second, "cpu", 0, ".pb.gz", TIME_NS));
    EXPECT(entries(false) == 2 && log_lines[0] == '\0');
    cprof_output_destroy(second);
    end_test();
}

static void a_lock_that_was_removed_is_taken_again(void)
{
    struct cprof_output *second;
    struct path lock, path;

    begin_with_output(0);
    lock = name_of(output, ".cloudprofiler", ".lock");
    path = in_directory(lock.text);
    EXPECT(unlink(path.text) == 0);
    EXPECT(write_cpu(TIME_NS) && has(lock.text));
    second = open_output();
    EXPECT(strcmp(cprof_output_owner(output), cprof_output_owner(second)) != 0);
    /* Somebody was faster: the place is theirs, and this server has the next one from now on. */
    EXPECT(unlink(path.text) == 0);
    cprof_output_destroy(second);
    second = open_output();
    EXPECT(write_cpu(TIME_NS) && has(lock.text));
    EXPECT(strcmp(cprof_output_owner(output), cprof_output_owner(second)) != 0);
    cprof_output_destroy(second);
    end_test();
}

static void an_existing_file_is_never_overwritten(void)
{
    begin_with_output(0);
    close(create_of(output, "cpu-" STAMP, ".pb.gz"));
    EXPECT(write_cpu(TIME_NS));
    EXPECT(has_of(output, "cpu-20261122T152345.124Z", ".pb.gz") && entries(false) == 2);
    no_flag = no_link = EPERM;
    EXPECT(write_cpu(TIME_NS));
    EXPECT(has_of(output, "cpu-20261122T152345.125Z", ".pb.gz") && entries(false) == 3);
    no_rename = EPERM;
    EXPECT(write_cpu(TIME_NS));
    EXPECT(has_of(output, "cpu-20261122T152345.126Z", ".pb.gz") && entries(false) == 4);
    end_test();
}

static void a_profile_that_a_killed_gateway_delivered_is_not_written_twice(void)
{
    begin_with_output(0);
    EXPECT(write_cpu(TIME_NS) && write_again(TIME_NS) && entries(false) == 1);
    EXPECT(write_again(TIME_NS + MS) && entries(false) == 2);
    no_flag = no_link = no_rename = EPERM;
    EXPECT(write_cpu(TIME_NS + S) && write_again(TIME_NS + S) && entries(false) == 3);
    end_test();
}

static void a_link_under_the_temporary_name_is_not_followed(void)
{
    struct path temporary, path, victim = {""};

    begin_with_output(0);
    temporary = name_of(output, ".cpu-" STAMP, ".pb.gz.tmp");
    path = in_directory(temporary.text);
    victim = in_directory("victim");
    EXPECT(symlink(victim.text, path.text) == 0);
    (void)write_cpu(TIME_NS);
    EXPECT(!has("victim"));
    end_test();
}

/* Whatever the file system refuses, three files are written, and two are kept. */
static void expect_files_are_kept(void)
{
    output = open_output();
    config.output_keep = 2;
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(write_cpu(TIME_NS + i * MS));
        EXPECT(write_file(output, "slow", 1, ".txt", TIME_NS + i * MS));
    }
    EXPECT(entries(false) == 4 && log_lines[0] == '\0');
    EXPECT(has_of(output, "cpu-20261122T152345.124Z", ".pb.gz"));
    EXPECT(has_of(output, "cpu-20261122T152345.125Z", ".pb.gz"));
    end_test();
}

static void no_file_is_lost_where_links_and_renames_are_refused(void)
{
    static const int reasons[] = {EINVAL, EPERM, ENOSYS, EOPNOTSUPP, EIO, EMLINK, EACCES};

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        for (unsigned refused = 1; refused < 8; refused++) {
            begin_test();
            no_flag = refused & 1 ? reasons[i] : 0;
            no_link = refused & 2 ? reasons[i] : 0;
            no_rename = refused & 4 ? reasons[i] : 0;
            expect_files_are_kept();
        }
    }
}

static void no_file_is_lost_where_syncs_are_refused(void)
{
    begin_test();
    no_directory_sync = EINVAL;
    expect_files_are_kept();
    begin_test();
    no_directory_sync = EIO;
    expect_files_are_kept();
    begin_test();
    no_file_sync = EINVAL;
    expect_files_are_kept();
    begin_test();
    no_file_sync = EOPNOTSUPP;
    expect_files_are_kept();
}

static void a_file_that_is_not_on_the_disk_is_a_loss(void)
{
    begin_with_output(0);
    no_file_sync = EIO;
    EXPECT(!write_cpu(TIME_NS) && entries(false) == 0);
    EXPECT(strstr(error.text, directory) && strstr(error.text, strerror(EIO)));
    end_test();
}

static void the_newest_files_of_our_own_are_kept_and_nothing_else_is_touched(void)
{
    static const char *const before[] = {"xcpu-" STAMP,
                                         "cpu-20200101T000000.00Z",
                                         "cpu-2020x101T000000.000Z",
                                         "wall-20200101T000000.000Z",
                                         "wall20200101T000000.000Z",
                                         "cpu--20200101T000000.000Z",
                                         "cpu-20200101T000000.000Z-a",
                                         "CPU-20200101T000000.000Z",
                                         "cpu"};
    static const char *const behind[] = {".pb.gz.bak", "-2.pb.gz", "x.pb.gz", "-worker1.pb.gz",
                                         ".txt",       ".pb.g",    ""};
    unsigned others = 1;

    begin_with_output(2);
    close(create("cpu-20200101T000000.000Z-shop-web_1.pb.gz"));
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++, others++) {
        close(create_of(output, before[i], ".pb.gz"));
    }
    for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++, others++) {
        close(create_of(output, "cpu-20200101T000000.000Z", behind[i]));
    }
    close(create_of(output, "cpu-20200101T000000.000Z", ".pb.gz"));
    for (unsigned i = 0; i < 4; i++) {
        EXPECT(write_cpu(TIME_NS + i * MS));
    }
    EXPECT(entries(false) == others + 2);
    EXPECT(has_of(output, "cpu-20261122T152345.125Z", ".pb.gz"));
    EXPECT(has_of(output, "cpu-20261122T152345.126Z", ".pb.gz"));
    end_test();
}

static void each_sort_and_ending_has_its_own_number_whatever_the_worker(void)
{
    begin_with_output(2);
    for (uint32_t second = 0; second < 5; second++) {
        EXPECT(write_file(output, "slow", 9 - second, ".txt", second * S));
        EXPECT(write_file(output, "slow", 1, ".pb.gz", second * S));
        EXPECT(write_file(output, "wall", 0, ".pb.gz", second * S));
        EXPECT(write_cpu(second * S));
    }
    EXPECT(entries(false) == 8);
    EXPECT(has_of(output, "slow-19700101T000003.000Z", "-worker6.txt"));
    EXPECT(has_of(output, "slow-19700101T000004.000Z", "-worker5.txt"));
    EXPECT(has_of(output, "slow-19700101T000004.000Z", "-worker1.pb.gz"));
    end_test();
}

static void with_keep_0_all_files_stay(void)
{
    begin_with_output(0);
    for (unsigned i = 0; i < 100; i++) {
        EXPECT(write_cpu(TIME_NS + i * MS));
    }
    EXPECT(entries(false) == 100);
    end_test();
}

static uint64_t unix_now_ns(void)
{
    struct timespec now;

    EXPECT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (uint64_t)now.tv_sec * S + (uint64_t)now.tv_nsec;
}

static unsigned times_in_log(const char *text)
{
    unsigned times = 0;

    for (const char *at = log_lines; (at = strstr(at, text)) != NULL; at++) {
        times++;
    }
    return times;
}

static void files_from_the_future_go_first_with_one_line(void)
{
    uint64_t now_ns = unix_now_ns(), ahead_ns = now_ns + 86400 * S;

    begin_with_output(3);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(write_cpu(ahead_ns + i * S));
    }
    EXPECT(entries(false) == 3 && log_lines[0] == '\0');
    for (unsigned i = 0; i < 4; i++) {
        EXPECT(write_cpu(now_ns - (4 - i) * S));
        EXPECT(entries(false) == 3);
    }
    EXPECT(times_in_log("is dated after the present time") == 1 && times_in_log("\n") == 1);
    /* What is there now is of the present, of which the oldest goes. */
    EXPECT(write_cpu(now_ns) && entries(false) == 3 && times_in_log("\n") == 1);
    end_test();
}

static void the_file_that_was_written_stays_whatever_its_time(void)
{
    uint64_t now_ns = unix_now_ns();
    struct path name;

    begin_with_output(1);
    EXPECT(write_cpu(now_ns - S));
    name = name_of(output, "cpu-" STAMP, ".pb.gz");
    EXPECT(write_cpu(TIME_NS) && has(name.text) && entries(false) == 1);
    EXPECT(write_cpu(now_ns + 86400 * S) && !has(name.text) && entries(false) == 1);
    EXPECT(write_cpu(TIME_NS) && has(name.text) && entries(false) == 1);
    end_test();
}

static void stale_temporaries_of_our_own_are_removed_at_the_start(void)
{
    struct path first, held_name;
    int held;

    begin_with_output(0);
    first = name_of(output, ".cpu-" STAMP, ".pb.gz.tmp");
    held_name = name_of(output, ".slow-" STAMP, "-worker2.txt.tmp");
    close(create(first.text));
    close(create_of(output, ".wall-" STAMP, ".pb.gz.tmp"));
    close(create_of(output, ".harakiri-" STAMP, "-worker1.txt.tmp"));
    close(create_of(output, ".cpu-" STAMP, "-2.pb.gz.tmp"));
    close(create(".tmp"));
    close(create("..tmp"));
    held = create(held_name.text);
    EXPECT(flock(held, LOCK_EX) == 0);
    cprof_output_destroy(output);
    output = open_output();
    EXPECT(!has(first.text) && has(held_name.text) && entries(false) == 4);
    close(held);
    end_test();
}

static void a_directory_that_comes_later_is_taken_then(void)
{
    struct cprof_output *second;

    begin_test();
    EXPECT(rmdir(directory) == 0);
    output = open_output();
    second = open_output();
    EXPECT(!write_cpu(TIME_NS) && strstr(error.text, strerror(ENOENT)));
    EXPECT(mkdir(directory, 0700) == 0);
    EXPECT(write_cpu(TIME_NS) && write_file(second, "cpu", 0, ".pb.gz", TIME_NS));
    EXPECT(strcmp(cprof_output_owner(output), cprof_output_owner(second)) != 0);
    cprof_output_destroy(second);
    end_test();
}

static void a_write_that_fails_half_way_leaves_nothing(void)
{
    struct rlimit before, small;

    begin_with_output(0);
    /* A write beyond the limit stops there, as on a full disk. */
    (void)signal(SIGXFSZ, SIG_IGN);
    EXPECT(getrlimit(RLIMIT_FSIZE, &before) == 0);
    small = before;
    small.rlim_cur = 4;
    EXPECT(setrlimit(RLIMIT_FSIZE, &small) == 0);
    EXPECT(!write_cpu(TIME_NS));
    EXPECT(setrlimit(RLIMIT_FSIZE, &before) == 0);
    EXPECT(entries(false) == 0);
    EXPECT(write_cpu(TIME_NS));
    end_test();
}

int main(void)
{
    RUN(the_name_says_what_when_and_whose);
    RUN(a_named_instance_stands_in_place_of_the_host);
    RUN(without_a_service_the_name_says_uwsgi);
    RUN(long_and_strange_names_are_bounded);
    RUN(what_was_changed_for_the_name_still_counts);
    RUN(of_two_servers_of_one_service_and_host_each_keeps_its_own);
    RUN(servers_that_are_alike_have_places_and_each_keeps_its_own);
    RUN(another_users_lock_is_a_place_that_is_taken);
    RUN(without_locks_servers_that_are_alike_share_names);
    RUN(a_lock_that_was_removed_is_taken_again);
    RUN(an_existing_file_is_never_overwritten);
    RUN(a_profile_that_a_killed_gateway_delivered_is_not_written_twice);
    RUN(a_link_under_the_temporary_name_is_not_followed);
    RUN(no_file_is_lost_where_links_and_renames_are_refused);
    RUN(no_file_is_lost_where_syncs_are_refused);
    RUN(a_file_that_is_not_on_the_disk_is_a_loss);
    RUN(the_newest_files_of_our_own_are_kept_and_nothing_else_is_touched);
    RUN(each_sort_and_ending_has_its_own_number_whatever_the_worker);
    RUN(with_keep_0_all_files_stay);
    RUN(files_from_the_future_go_first_with_one_line);
    RUN(the_file_that_was_written_stays_whatever_its_time);
    RUN(stale_temporaries_of_our_own_are_removed_at_the_start);
    RUN(a_directory_that_comes_later_is_taken_then);
    RUN(a_write_that_fails_half_way_leaves_nothing);
    return 0;
}
