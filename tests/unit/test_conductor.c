/* test_conductor.c - see gateway/conductor.h. A real gateway process and fake workers, which
 * write real logs, kill each other.
 *
 * The gateway is this program, forked; with CPROF_GATEWAY in the environment it is that program,
 * executed as uWSGI does it.
 *
 * sources: tests/unit/fake_log.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/conductor.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../gateway/profile/pprof.h"
#include "../../shared/base/log.h"
#include "../../shared/segment/window.h"
#include "expect.h"
#include "fake_log.h"

#define MS          UINT64_C(1000000)
#define DEADLINE_NS (20000 * MS)
#define TICK_NS     (2 * MS)
#define EPOCHS_MAX  256

static char directory[64];
static struct cprof_segment segment;
static struct cprof_control *control;
static struct cprof_config config;

/* What workers counted, per epoch; shared with them. */
static _Atomic uint64_t *ticks;

/* Waits for the condition, looking at it again and again until a deadline. */
#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        uint64_t deadline_ns = cprof_now_ns() + DEADLINE_NS;                                       \
                                                                                                   \
        while (!(condition)) {                                                                     \
            EXPECT(cprof_now_ns() < deadline_ns);                                                  \
            (void)usleep(2000);                                                                    \
        }                                                                                          \
    } while (0)

static void begin_test(uint32_t slot_count, uint32_t interval_s, uint32_t duration_s)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/test_conductor.XXXXXX");
    EXPECT(mkdtemp(directory));
    fake_segment_open(&segment, slot_count, CPROF_LOG_BYTES_MIN);
    control = cprof_segment_control(&segment);
    config = (struct cprof_config){
        .magic = CPROF_CONFIG_MAGIC,
        .version = CPROF_CONFIG_VERSION,
        .config_bytes = sizeof(config),
        .service = "shop",
        .instance = "web1",
        .output_interval_s = interval_s,
        .output_duration_s = duration_s,
        .period_ms = 10,
        .max_depth = 128,
        .gateway_memory_mib = 64,
        .tags = CPROF_TAG_WORKER | CPROF_TAG_THREAD | CPROF_TAG_STATE,
        .slot_count = slot_count,
        .log_bytes = CPROF_LOG_BYTES_MIN,
    };
    (void)snprintf(config.output_dir, sizeof(config.output_dir), "%s", directory);
    for (unsigned i = 0; i < EPOCHS_MAX; i++) {
        atomic_store(&ticks[i], 0);
    }
}

static void end_test(void)
{
    DIR *names = opendir(directory);
    char path[512];

    EXPECT(names);
    for (struct dirent *entry; (entry = readdir(names)) != NULL;) {
        if (entry->d_type == DT_REG) {
            EXPECT((size_t)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) <
                   sizeof(path));
            EXPECT(unlink(path) == 0);
        }
    }
    (void)closedir(names);
    EXPECT(rmdir(directory) == 0);
    fake_segment_close(&segment);
}

static void to_stderr(const char *line)
{
    (void)fputs(line, stderr);
}

static int sealed_config(void)
{
    int fd = memfd_create("config", MFD_ALLOW_SEALING);

    EXPECT(fd >= 0 && write(fd, &config, sizeof(config)) == (ssize_t)sizeof(config));
    EXPECT(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    return fd;
}

static void execute(const char *program, int previous_fd)
{
    char segment_fd[16], config_fd[16], previous[16];

    (void)snprintf(segment_fd, sizeof(segment_fd), "%d", segment.fd);
    (void)snprintf(config_fd, sizeof(config_fd), "%d", sealed_config());
    (void)snprintf(previous, sizeof(previous), "%d", previous_fd);
    (void)fcntl(segment.fd, F_SETFD, 0);
    if (previous_fd >= 0) {
        (void)fcntl(previous_fd, F_SETFD, 0);
    }
    (void)execl(program, "cloudprofiler-gateway", "--segment-fd", segment_fd, "--config-fd",
                config_fd, previous_fd >= 0 ? "--previous-segment-fd" : NULL, previous, NULL);
    _exit(127);
}

static pid_t start_gateway(int previous_fd)
{
    const char *program = getenv("CPROF_GATEWAY");
    pid_t pid = fork();

    EXPECT(pid >= 0);
    if (pid == 0) {
        const struct cprof_conductor_fds fds = {.bell = -1,
                                                .results = -1,
                                                .previous = &previous_fd,
                                                .previous_count = previous_fd >= 0};
        struct cprof_error error;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (program) {
            execute(program, previous_fd);
        }
        cprof_log_setup(to_stderr, CPROF_LOG_WARNING);
        _exit(cprof_conductor_run(&config, &segment, &fds, &error) ? 0 : 1);
    }
    return pid;
}

static void end_process(pid_t pid, int signal_number)
{
    int status;

    EXPECT(kill(pid, signal_number) == 0 && waitpid(pid, &status, 0) == pid);
    EXPECT(signal_number == SIGKILL || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

/* Samples `function` in one window until its end, a tick each TICK_NS. */
static void sample_window(const struct cprof_slot_mapping *mapping, const char *function,
                          const struct cprof_window_demand *demand, uint32_t incarnation)
{
    struct cprof_log_writer writer;
    struct cprof_stack_record *stack;
    struct cprof_frame frame = {0};
    uint32_t ref;

    cprof_log_writer_init(&writer, mapping->slot, mapping->log, mapping->log_bytes, demand->epoch,
                          incarnation);
    frame.code_ref =
        fake_code(&writer, &(struct fake_code){.name = function, .file = "a.py", .first_line = 1});
    ref = fake_stack(&writer, &(struct fake_stack){.frames = &frame, .depth = 1});
    if (frame.code_ref == CPROF_NO_REF || ref == CPROF_NO_REF) {
        return;
    }
    stack = cprof_log_record(mapping->log, ref);
    while (cprof_now_ns() < demand->next_end_ns) {
        atomic_fetch_add(&stack->weight_ns, TICK_NS);
        atomic_fetch_add(&stack->count, 1);
        atomic_fetch_add(&ticks[demand->epoch % EPOCHS_MAX], 1);
        (void)usleep((useconds_t)(TICK_NS / 1000));
    }
}

static void be_worker(uint32_t slot_index, const char *function, bool silent)
{
    struct cprof_slot_mapping mapping;
    struct cprof_window_demand demand;
    struct cprof_error error;
    uint32_t incarnation;

    EXPECT(cprof_slot_map(&mapping, segment.fd, slot_index, &error));
    atomic_store(&mapping.slot->joined_epoch, 0);
    incarnation = atomic_fetch_add(&mapping.slot->incarnation, 1) + 1;
    atomic_store(&mapping.slot->pid, (uint32_t)getpid());
    for (;;) {
        uint32_t seen = cprof_window_doorbell(mapping.control);

        cprof_window_read(mapping.control, cprof_now_ns(), atomic_load(&mapping.control->epoch),
                          &demand);
        if (!demand.kinds) {
            cprof_window_wait(mapping.control, seen, UINT64_MAX);
            continue;
        }
        atomic_store(&mapping.slot->joined_epoch, demand.epoch);
        sample_window(&mapping, function, &demand, incarnation);
        if (silent) {
            for (;;) {
                (void)pause();
            }
        }
        atomic_store(&mapping.slot->closed_epoch, demand.epoch);
    }
}

static pid_t start_worker(uint32_t slot_index, const char *function, bool silent)
{
    pid_t pid = fork();

    EXPECT(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        be_worker(slot_index, function, silent);
    }
    WAIT_FOR(atomic_load(&cprof_segment_slot(&segment, slot_index)->pid) == (uint32_t)pid);
    return pid;
}

static void add_file(struct cprof_table *table, const char *name)
{
    char path[512];
    struct cprof_error error;
    static uint8_t bytes[1 << 16];
    ssize_t byte_count;
    int fd;

    EXPECT((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) < sizeof(path));
    fd = open(path, O_RDONLY);
    byte_count = read(fd, bytes, sizeof(bytes));
    EXPECT(byte_count > 0 && byte_count < (ssize_t)sizeof(bytes));
    close(fd);
    EXPECT(cprof_pprof_read(table, bytes, (size_t)byte_count, &error));
}

/* All profiles of a kind of the directory in one table; returns how many there are. */
static unsigned read_profiles(struct cprof_table *table, enum cprof_kind kind)
{
    const char *prefix = kind == CPROF_KIND_WALL ? "wall-" : "cpu-";
    DIR *names = opendir(directory);
    unsigned count = 0;

    EXPECT(names);
    cprof_table_init(table);
    for (struct dirent *entry; (entry = readdir(names)) != NULL;) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) {
            add_file(table, entry->d_name);
            count++;
        }
    }
    (void)closedir(names);
    return count;
}

static uint64_t count_of(const struct cprof_table *table, const char *function)
{
    uint64_t count = 0;

    for (size_t i = 0; i < table->sample_count; i++) {
        uint32_t location = table->location_pool[table->samples[i].first_location];
        uint32_t name = table->functions[table->locations[location].function].name;

        if (strcmp(cprof_table_text_at(table, name), function) == 0) {
            count += table->samples[i].count;
        }
    }
    return count;
}

/* How often `function` was seen, by the profiles of a kind. */
static uint64_t count_in(enum cprof_kind kind, const char *function)
{
    struct cprof_table table;
    uint64_t count;

    (void)read_profiles(&table, kind);
    count = count_of(&table, function);
    cprof_table_reset(&table);
    return count;
}

static uint64_t all_ticks(uint32_t epochs_below)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < epochs_below && i < EPOCHS_MAX; i++) {
        sum += atomic_load(&ticks[i]);
    }
    return sum;
}

static uint64_t ticks_now(void)
{
    return all_ticks(EPOCHS_MAX);
}

static void samples_of_all_workers_are_written(void)
{
    struct cprof_table table;
    pid_t gateway, first, second;

    begin_test(3, 60, 1);
    first = start_worker(0, "first", false);
    second = start_worker(2, "second", false);
    gateway = start_gateway(-1);
    WAIT_FOR(atomic_load(&control->profiles_written) == 2);
    end_process(gateway, SIGTERM);
    end_process(first, SIGKILL);
    end_process(second, SIGKILL);

    EXPECT(read_profiles(&table, CPROF_KIND_CPU) == 1);
    EXPECT(count_of(&table, "first") > 50 && count_of(&table, "second") > 50);
    EXPECT(count_of(&table, "first") + count_of(&table, "second") == ticks_now());
    EXPECT(count_in(CPROF_KIND_WALL, "first") == count_of(&table, "first"));
    EXPECT(count_in(CPROF_KIND_WALL, "second") == count_of(&table, "second"));
    /* One that opens late ends on time all the same, and half of it is the least there is. */
    EXPECT(table.duration_ns >= 500 * MS && table.duration_ns <= 1000 * MS);
    cprof_table_reset(&table);
    end_test();
}

static void a_killed_workers_samples_and_its_successors_are_written(void)
{
    struct cprof_table table;
    pid_t gateway, worker;

    begin_test(1, 60, 2);
    worker = start_worker(0, "first", false);
    gateway = start_gateway(-1);
    WAIT_FOR(ticks_now() > 50);
    end_process(worker, SIGKILL);
    worker = start_worker(0, "second", false);
    WAIT_FOR(atomic_load(&control->profiles_written) == 2);
    end_process(gateway, SIGTERM);
    end_process(worker, SIGKILL);

    EXPECT(read_profiles(&table, CPROF_KIND_CPU) == 1);
    EXPECT(count_of(&table, "first") >= 50 && count_of(&table, "second") > 50);
    EXPECT(count_of(&table, "first") + count_of(&table, "second") + 1 >= ticks_now());
    cprof_table_reset(&table);
    end_test();
}

static void a_killed_gateways_window_is_written_by_the_next_one(void)
{
    struct cprof_table table;
    pid_t gateway, worker;

    begin_test(1, 60, 2);
    worker = start_worker(0, "work", false);
    gateway = start_gateway(-1);
    WAIT_FOR(ticks_now() > 50);
    end_process(gateway, SIGKILL);
    gateway = start_gateway(-1);
    WAIT_FOR(atomic_load(&control->profiles_written) == 2);
    end_process(gateway, SIGKILL);
    end_process(worker, SIGKILL);

    EXPECT(read_profiles(&table, CPROF_KIND_CPU) == 1);
    /* All ticks, whichever epoch it is now: it ends only after the profiles are written. */
    EXPECT(count_of(&table, "work") == ticks_now());
    EXPECT(table.duration_ns > 1900 * MS && atomic_load(&control->gateway_starts) == 2);
    cprof_table_reset(&table);
    end_test();
}

static void windows_in_a_row_share_no_sample_and_lose_none(void)
{
    struct cprof_table table;
    pid_t gateway, worker;

    begin_test(1, 1, 1);
    worker = start_worker(0, "work", false);
    gateway = start_gateway(-1);
    WAIT_FOR(atomic_load(&control->profiles_written) >= 8);
    end_process(gateway, SIGTERM);
    end_process(worker, SIGKILL);

    EXPECT(read_profiles(&table, CPROF_KIND_CPU) >= 4);
    EXPECT(count_of(&table, "work") == all_ticks(atomic_load(&control->epoch)));
    cprof_table_reset(&table);
    end_test();
}

static void kills_at_any_moment_neither_lose_nor_double_a_sample(void)
{
    struct cprof_table table;
    pid_t gateway, worker;
    uint32_t epoch;
    uint64_t pause_ns = 37 * MS;

    begin_test(1, 1, 1);
    worker = start_worker(0, "work", false);
    for (unsigned i = 0; i < 60; i++) {
        uint64_t start_ns = cprof_now_ns();

        gateway = start_gateway(-1);
        /* No waiting for anything: the moment is to be arbitrary. */
        pause_ns = pause_ns * 7 % (211 * MS);
        WAIT_FOR(cprof_now_ns() - start_ns >= pause_ns);
        end_process(gateway, SIGKILL);
        /* Else the gateway would take the test for a crash loop. */
        atomic_store(&control->gateway_starts, 0);
    }
    gateway = start_gateway(-1);
    epoch = atomic_load(&control->epoch);
    WAIT_FOR(atomic_load(&control->epoch) >= epoch + 2);
    end_process(gateway, SIGKILL);
    end_process(worker, SIGKILL);

    EXPECT(read_profiles(&table, CPROF_KIND_CPU) >= 2);
    EXPECT(count_of(&table, "work") == all_ticks(atomic_load(&control->epoch)));
    EXPECT(count_in(CPROF_KIND_WALL, "work") == count_of(&table, "work"));
    cprof_table_reset(&table);
    end_test();
}

static void a_process_that_never_closes_its_log_sits_out_until_it_is_gone(void)
{
    struct cprof_slot *slot;
    struct cprof_table table;
    pid_t gateway, silent, worker;
    uint32_t epoch;

    begin_test(2, 1, 1);
    slot = cprof_segment_slot(&segment, 0);
    silent = start_worker(0, "silent", true);
    worker = start_worker(1, "work", false);
    gateway = start_gateway(-1);
    WAIT_FOR(atomic_load(&control->profiles_written) >= 4);
    epoch = (uint32_t)(atomic_load(&slot->claim) >> 32);
    EXPECT(epoch < atomic_load(&control->epoch) &&
           atomic_load(&slot->counters[CPROF_COUNTER_SAMPLES]) == 0);
    end_process(silent, SIGKILL);
    WAIT_FOR(atomic_load(&slot->claim) >> 32 == atomic_load(&control->epoch));
    end_process(gateway, SIGTERM);
    end_process(worker, SIGKILL);

    (void)read_profiles(&table, CPROF_KIND_CPU);
    EXPECT(count_of(&table, "silent") > 50 && count_of(&table, "work") > 50);
    cprof_table_reset(&table);
    end_test();
}

/* A segment as a dead instance leaves it: samples, and a window that stands. */
static void leave_window(const struct cprof_segment *left, struct cprof_window *window)
{
    struct cprof_log_writer writer = fake_writer(left, 0, 1, 1);
    struct cprof_frame frame = {
        .code_ref = fake_code(&writer, &(struct fake_code){.name = "before", .file = "a.py"})};

    EXPECT(fake_stack(
        &writer,
        &(struct fake_stack){.frames = &frame, .depth = 1, .count = 7, .weight_ns = 70 * MS}));
    *window = (struct cprof_window){
        .kinds = CPROF_KINDS_ALL,
        .source = CPROF_SOURCE_SCHEDULE,
        .period_ns = 10 * MS,
        .start_ns = cprof_now_ns() - 3000 * MS,
        .end_ns = cprof_now_ns() + 60000 * MS,
        .start_unix_ns = UINT64_C(1795361025123456000), /* 2026-11-22 15:23:45.123456 */
    };
    cprof_window_open(cprof_segment_control(left), 0, window);
}

static void what_a_reload_cut_short_is_written_once(void)
{
    struct cprof_segment previous;
    struct cprof_window window;
    struct cprof_table table;
    pid_t gateway;

    begin_test(1, 60, 60);
    fake_segment_open(&previous, 2, CPROF_LOG_BYTES_MIN);
    leave_window(&previous, &window);
    atomic_store(&cprof_segment_control(&previous)->closed_ns, window.start_ns + 2000 * MS);
    for (unsigned i = 0; i < 2; i++) {
        gateway = start_gateway(previous.fd);
        WAIT_FOR(atomic_load(&control->window_mask) != 0);
        end_process(gateway, SIGTERM);
        atomic_store(&control->window_mask, 0);
    }

    EXPECT(read_profiles(&table, CPROF_KIND_CPU) == 1 && count_of(&table, "before") == 7);
    EXPECT(table.duration_ns == 2000 * MS);
    EXPECT(atomic_load(&cprof_segment_control(&previous)->harvested) == 1);
    EXPECT(atomic_load(&control->profiles_written) == 2);
    cprof_table_reset(&table);
    fake_segment_close(&previous);
    end_test();
}

/* Opens the window of leave_window, which has ended, and lets a gateway write it. */
static void write_left_window(void)
{
    struct cprof_window window;
    pid_t gateway;

    leave_window(&segment, &window);
    control->windows[0].end_ns = cprof_now_ns();
    gateway = start_gateway(-1);
    WAIT_FOR(atomic_load(&control->epoch) == 2);
    end_process(gateway, SIGKILL);
    atomic_store(&control->window_mask, 0);
    atomic_store(&control->epoch, 1);
    atomic_store(&cprof_segment_slot(&segment, 0)->claim, UINT64_C(1) << 32);
}

/* The only one of its kind. */
static void remove_profile(const char *kind)
{
    DIR *names = opendir(directory);
    unsigned removed = 0;

    EXPECT(names);
    for (struct dirent *entry; (entry = readdir(names)) != NULL;) {
        if (strncmp(entry->d_name, kind, strlen(kind)) == 0) {
            EXPECT(unlinkat(dirfd(names), entry->d_name, 0) == 0);
            removed++;
        }
    }
    (void)closedir(names);
    EXPECT(removed == 1);
}

static void a_profile_whose_writer_was_killed_before_it_could_say_so_is_written_once(void)
{
    struct cprof_table table;

    begin_test(1, 60, 60);
    write_left_window();
    /* The same once more, as if the first gateway had been killed behind the last rename, */
    write_left_window();
    EXPECT(read_profiles(&table, CPROF_KIND_CPU) == 1 && count_of(&table, "before") == 7);
    cprof_table_reset(&table);
    EXPECT(read_profiles(&table, CPROF_KIND_WALL) == 1 && count_of(&table, "before") == 7);
    cprof_table_reset(&table);
    /* and as if it had been killed between the two. */
    remove_profile("wall");
    write_left_window();
    EXPECT(read_profiles(&table, CPROF_KIND_CPU) == 1);
    cprof_table_reset(&table);
    EXPECT(read_profiles(&table, CPROF_KIND_WALL) == 1 && count_of(&table, "before") == 7);
    cprof_table_reset(&table);
    end_test();
}

static void only_the_kinds_that_are_wanted_are_written(void)
{
    struct cprof_table table;
    pid_t gateway, worker;

    begin_test(1, 60, 1);
    config.disable_cpu = 1;
    worker = start_worker(0, "work", false);
    gateway = start_gateway(-1);
    WAIT_FOR(atomic_load(&control->profiles_written) == 1);
    end_process(gateway, SIGTERM);
    end_process(worker, SIGKILL);

    EXPECT(read_profiles(&table, CPROF_KIND_CPU) == 0);
    cprof_table_reset(&table);
    EXPECT(read_profiles(&table, CPROF_KIND_WALL) == 1 && count_of(&table, "work") > 50);
    cprof_table_reset(&table);
    end_test();
}

static void a_descriptor_that_makes_no_sense_is_taken_back(void)
{
    struct cprof_window window;
    struct cprof_table table;
    pid_t gateway;

    begin_test(1, 60, 60);
    leave_window(&segment, &window);
    control->windows[0].end_ns = UINT64_MAX;
    atomic_store(&control->window_mask, 0xffffffff);
    gateway = start_gateway(-1);
    WAIT_FOR(atomic_load(&control->window_mask) == 1); /* its own */
    end_process(gateway, SIGKILL);

    EXPECT(read_profiles(&table, CPROF_KIND_CPU) == 0);
    cprof_table_reset(&table);
    end_test();
}

int main(void)
{
    ticks = mmap(NULL, EPOCHS_MAX * sizeof(*ticks), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(ticks != MAP_FAILED);
    RUN(samples_of_all_workers_are_written);
    RUN(a_killed_workers_samples_and_its_successors_are_written);
    RUN(a_killed_gateways_window_is_written_by_the_next_one);
    RUN(windows_in_a_row_share_no_sample_and_lose_none);
    RUN(kills_at_any_moment_neither_lose_nor_double_a_sample);
    RUN(a_process_that_never_closes_its_log_sits_out_until_it_is_gone);
    RUN(what_a_reload_cut_short_is_written_once);
    RUN(a_profile_whose_writer_was_killed_before_it_could_say_so_is_written_once);
    RUN(only_the_kinds_that_are_wanted_are_written);
    RUN(a_descriptor_that_makes_no_sense_is_taken_back);
    return 0;
}
