/* test_directory.c - see gateway/sinks/directory.h; the files are test_output.c's.
 *
 * SPDX-License-Identifier: MIT
 */
// flags: -Wl,--wrap=fsync
#include "../../gateway/sinks/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../gateway/profile/kind.h"
#include "../../shared/base/log.h"
#include "expect.h"

#define DEADLINE_NS UINT64_C(20000000000)

#define TIME_MS UINT64_C(1795361025123)
#define TIME_NS (TIME_MS * 1000000)
#define STAMP   "20261122T152345.123Z"

static char directory[64];
static struct cprof_config config;
static struct cprof_output *output;
static struct cprof_control control;
static struct cprof_sinks sinks;
static struct cprof_sink *sink;
static struct cprof_side_thread *file_thread; /* NULL: files are written at once */
static char log_lines[4096];

/* A disk that hangs until it may go on. */
static bool disk_hangs;
static sem_t disk_asked, disk_answers;

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
    if (disk_hangs) {
        EXPECT(sem_post(&disk_asked) == 0 && sem_wait(&disk_answers) == 0);
    }
    return __real_fsync(fd);
}

static void keep_line(const char *line)
{
    (void)strncat(log_lines, line, sizeof(log_lines) - strlen(log_lines) - 1);
}

static void begin_test(void)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/test_directory.XXXXXX");
    EXPECT(mkdtemp(directory));
    memset(&config, 0, sizeof(config));
    (void)snprintf(config.output_dir, sizeof(config.output_dir), "%s", directory);
    (void)snprintf(config.service, sizeof(config.service), "shop");
    (void)snprintf(config.instance, sizeof(config.instance), "web1");
    log_lines[0] = '\0';
    cprof_log_setup(keep_line, CPROF_LOG_ERROR);
    output = cprof_output_create(&config);
    EXPECT(output);
    cprof_directory_begin(output, NULL);
    memset(&control, 0, sizeof(control));
    sink = cprof_directory_sink_create(&config, output, file_thread, &control);
    EXPECT(cprof_sinks_add(&sinks, sink));
}

/* Removes all that is in the directory; counts what is not hidden. */
static unsigned empty_directory(void)
{
    DIR *names = opendir(directory);
    unsigned count = 0;

    EXPECT(names);
    for (struct dirent *entry; (entry = readdir(names)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            count += entry->d_name[0] != '.';
            EXPECT(unlinkat(dirfd(names), entry->d_name, 0) == 0);
        }
    }
    (void)closedir(names);
    return count;
}

static void end_test(unsigned files)
{
    cprof_sinks_destroy(&sinks);
    cprof_output_destroy(output);
    EXPECT(empty_directory() == files);
    EXPECT(rmdir(directory) == 0);
}

static bool deliver_for(const struct cprof_why *why, enum cprof_kind kind)
{
    uint64_t delivered = sink->counts.delivered, dropped = sink->counts.dropped;
    struct cprof_profile profile;

    cprof_profile_init(&profile);
    profile.table.kind = kind;
    profile.table.time_unix_ns = TIME_NS;
    cprof_sinks_deliver(&sinks, &profile, why);
    cprof_profile_reset(&profile);
    EXPECT(sink->counts.delivered + sink->counts.dropped == delivered + dropped + 1);
    EXPECT(control.profiles_written == sink->counts.delivered);
    EXPECT(control.profiles_failed == sink->counts.dropped);
    return sink->counts.delivered > delivered;
}

static bool deliver(enum cprof_kind kind, bool may_be_delivered)
{
    const struct cprof_why why = {.reason = CPROF_REASON_SCHEDULE,
                                  .may_be_delivered = may_be_delivered};

    return deliver_for(&why, kind);
}

static bool reads(struct cprof_directory_name *name, const char *before, const char *behind)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "%s-%s%s", before, cprof_output_owner(output), behind);
    return cprof_directory_read_name(name, output, text);
}

static void expect_file(const char *sort, const char *behind)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s-" STAMP "-%s%s", directory, sort,
                   cprof_output_owner(output), behind);
    EXPECT(access(path, R_OK) == 0);
}

static void each_kind_is_a_file_of_its_own(void)
{
    begin_test();
    EXPECT(deliver(CPROF_KIND_CPU, false) && deliver(CPROF_KIND_WALL, false));
    expect_file("cpu", ".pb.gz");
    expect_file("wall", ".pb.gz");
    end_test(2);
}

static void of_two_kinds_the_one_that_is_missing_is_delivered(void)
{
    begin_test();
    EXPECT(deliver(CPROF_KIND_CPU, false));
    EXPECT(deliver(CPROF_KIND_CPU, true) && deliver(CPROF_KIND_WALL, true));
    end_test(2);
}

static void whoever_asked_for_it_a_file_is_written_and_counted(void)
{
    static const enum cprof_reason reasons[] = {CPROF_REASON_SCHEDULE, CPROF_REASON_COMMAND,
                                                CPROF_REASON_ROUTE};

    begin_test();
    for (unsigned i = 0; i < 3; i++) {
        const struct cprof_why why = {.reason = reasons[i]};

        EXPECT(deliver_for(&why, CPROF_KIND_CPU));
    }
    EXPECT(sink->counts.delivered == 3 && sink->counts.bytes > 0 && sink->counts.last_unix_ns > 0);
    end_test(3);
}

static void an_incident_is_named_after_its_worker_and_its_time(void)
{
    const struct cprof_why slow = {.reason = CPROF_REASON_SLOW, .worker = 2};
    const struct cprof_why harakiri = {
        .reason = CPROF_REASON_HARAKIRI, .worker = 1, .time_unix_ns = TIME_NS, .text = "stacks"};

    begin_test();
    EXPECT(deliver_for(&slow, CPROF_KIND_WALL) && deliver_for(&harakiri, CPROF_KIND_WALL));
    expect_file("slow", "-worker2.pb.gz");
    expect_file("harakiri", "-worker1.pb.gz");
    expect_file("harakiri", "-worker1.txt");
    end_test(3);
}

static void a_name_is_read_again(void)
{
    struct cprof_directory_name name = {0};

    begin_test();
    EXPECT(reads(&name, "cpu-" STAMP, ".pb.gz"));
    EXPECT(name.kind == CPROF_KIND_CPU && name.start_unix_ms == TIME_MS);
    EXPECT(reads(&name, "wall-" STAMP, ".pb.gz") && name.kind == CPROF_KIND_WALL);
    EXPECT(!reads(&name, "slow-" STAMP, "-worker1.pb.gz"));
    EXPECT(!reads(&name, "cpu-" STAMP, "-2.pb.gz") && !reads(&name, "cpu-" STAMP, ".txt"));
    EXPECT(!cprof_directory_read_name(&name, output, "cpu-" STAMP "-shop-web1.pb.gz"));
    EXPECT(!cprof_directory_read_name(&name, output, "../cpu-" STAMP ".pb.gz"));
    end_test(0);
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
    (void)empty_directory();
    EXPECT(rmdir(directory) == 0);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(!deliver(CPROF_KIND_CPU, false) && sink->counts.is_failing);
    }
    EXPECT(times_in_log("warning: cannot write to /tmp/test_directory.") == 1);
    EXPECT(times_in_log("No such file or directory; profiles are dropped until it works again") ==
           1);
    EXPECT(mkdir(directory, 0700) == 0);
    EXPECT(deliver(CPROF_KIND_CPU, false) && deliver(CPROF_KIND_CPU, false));
    EXPECT(times_in_log("profiles are written to") == 1 && times_in_log("\n") == 2);
    end_test(2);
}

static const struct cprof_side_rule two_wait = {
    .name = "files", .what = "files", .jobs_max = 2, .urgent_max = 1, .bytes_max = 1000000};
static struct cprof_loop loop;
static unsigned given_back;

static void give_back(const struct cprof_held *held)
{
    EXPECT(held->handle == 7 && held->number == 8);
    given_back++;
}

static void begin_with_hanging_disk(void)
{
    struct cprof_error error;

    given_back = 0;
    EXPECT(sem_init(&disk_asked, 0, 0) == 0 && sem_init(&disk_answers, 0, 0) == 0);
    cprof_loop_init(&loop);
    file_thread = cprof_side_thread_create(&loop, &two_wait, &error);
    EXPECT(file_thread);
    disk_hangs = true;
    begin_test();
}

/* As a window's orderer does it, one profile of each kind. */
static void hand_window_over(void)
{
    static const struct cprof_held held = {.give_back = give_back, .handle = 7, .number = 8};
    const struct cprof_why why = {.reason = CPROF_REASON_SCHEDULE,
                                  .hold = cprof_hold_create(&held)};

    EXPECT(why.hold);
    for (unsigned i = 0; i < CPROF_PROFILE_KINDS; i++) {
        struct cprof_profile profile;

        cprof_profile_init(&profile);
        profile.table.kind = cprof_profile_kinds[i];
        profile.table.time_unix_ns = TIME_NS;
        cprof_sinks_deliver(&sinks, &profile, &why);
        cprof_profile_reset(&profile);
    }
    cprof_hold_let_go(why.hold, true);
}

static void end_with_hanging_disk(uint64_t wait_ns, bool is_through)
{
    EXPECT(cprof_side_thread_end(file_thread, wait_ns) == is_through);
    file_thread = NULL;
    disk_hangs = false;
}

/* The file, then its directory; again for the second kind. */
static void let_disk_answer(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        EXPECT(sem_post(&disk_answers) == 0);
    }
}

static void a_window_is_given_back_once_all_of_it_is_on_the_disk(void)
{
    begin_with_hanging_disk();
    hand_window_over();
    EXPECT(sem_wait(&disk_asked) == 0);
    EXPECT(given_back == 0 && sink->counts.delivered == 0 && control.profiles_written == 0);
    EXPECT(cprof_side_thread_waiting(file_thread) == 2);
    let_disk_answer(4);
    end_with_hanging_disk(DEADLINE_NS, true);
    EXPECT(given_back == 1 && sink->counts.delivered == 2 && control.profiles_written == 2);
    end_test(2);
}

static void what_finds_too_much_waiting_is_dropped_with_one_line(void)
{
    begin_with_hanging_disk();
    for (unsigned i = 0; i < 3; i++) {
        hand_window_over();
    }
    EXPECT(sink->counts.dropped == 4 && control.profiles_failed == 4 && given_back == 2);
    EXPECT(times_in_log("does not keep up: 2 profiles wait for it, and more are dropped") == 1);
    EXPECT(times_in_log("\n") == 1);
    let_disk_answer(4);
    end_with_hanging_disk(DEADLINE_NS, true);
    EXPECT(given_back == 3 && sink->counts.delivered == 2);
    end_test(2);
}

static void what_was_not_written_at_the_end_stays_for_the_next_gateway(void)
{
    begin_with_hanging_disk();
    hand_window_over();
    EXPECT(sem_wait(&disk_asked) == 0);
    end_with_hanging_disk(0, false);
    EXPECT(given_back == 0 && sink->counts.delivered == 0 && sink->counts.dropped == 1);
    /* The thread is in the output, whatever the test does: it stays. */
    cprof_sinks_destroy(&sinks);
}

int main(void)
{
    RUN(each_kind_is_a_file_of_its_own);
    RUN(of_two_kinds_the_one_that_is_missing_is_delivered);
    RUN(whoever_asked_for_it_a_file_is_written_and_counted);
    RUN(an_incident_is_named_after_its_worker_and_its_time);
    RUN(a_name_is_read_again);
    RUN(a_missing_directory_is_one_warning_and_one_notice);
    RUN(a_window_is_given_back_once_all_of_it_is_on_the_disk);
    RUN(what_finds_too_much_waiting_is_dropped_with_one_line);
    RUN(what_was_not_written_at_the_end_stays_for_the_next_gateway);
    return 0;
}
