/* full_logs_gateway.c - a gateway that finds full logs: writes the logs of a window that ends in
 * two seconds, as workers or as strangers, and becomes the real gateway program, which makes
 * profiles of them. tests/e2e/test_full_logs.py and bench/full_logs.py measure it.
 *
 *     full_logs_gateway PROGRAM SORT SLOTS LOG_MIB SOCKET DIRECTORY MEMORY_MIB
 *
 * SORT is a name of `sorts` below. SOCKET is the endpoint's, DIRECTORY is for the profiles. The
 * program prints the totals, in nanoseconds, that profiles of these logs must have.
 *
 * sources: tests/unit/fake_log.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../shared/base/config.h"
#include "../../shared/segment/states.h"
#include "../../shared/segment/window.h"
#include "expect.h"
#include "fake_log.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define EPOCH     1
#define WEIGHT_NS 1000

enum { FUNCTIONS = 2000, THREADS = 4, DEPTH = 34, LONG_TAGS = 16 };

struct logs {
    struct cprof_segment segment;
    uint64_t cpu_ns, asleep_ns;
};

/* The same numbers in each run. */
static uint32_t next_random(void)
{
    static uint32_t state = 1;

    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static bool write_stack(struct logs *logs, struct cprof_log_writer *writer,
                        struct fake_stack *stack)
{
    stack->count = 1;
    stack->weight_ns = WEIGHT_NS;
    if (fake_stack(writer, stack) == CPROF_NO_REF) {
        return false;
    }
    if (stack->kind == CPROF_STACK_OFF_CPU) {
        logs->asleep_ns += WEIGHT_NS;
    } else {
        logs->cpu_ns += WEIGHT_NS;
    }
    return true;
}

/* An app of many functions under full load, the same in all workers. */
static void write_busy(struct logs *logs, struct cprof_log_writer *writer)
{
    static const uint8_t no_columns[] = {0x87, 0x01, 0x87, 0x01, 0x87, 0x01, 0x87, 0x01};
    uint32_t codes[FUNCTIONS], tags[THREADS];
    struct cprof_frame frames[DEPTH];
    struct fake_stack stack = {.frames = frames, .depth = DEPTH};
    char name[64], file[64];

    for (unsigned i = 0; i < FUNCTIONS; i++) {
        (void)snprintf(name, sizeof(name), "handle_something_%u", i);
        (void)snprintf(file, sizeof(file), "/usr/lib/python3/dist-packages/app/%u.py", i / 20);
        codes[i] = fake_code(writer, &(struct fake_code){.name = name,
                                                         .file = file,
                                                         .first_line = 1 + (int32_t)i % 20 * 30,
                                                         .line_format = CPROF_LINES_TABLE_311,
                                                         .line_table = no_columns,
                                                         .line_table_bytes = sizeof(no_columns)});
    }
    for (unsigned i = 0; i < THREADS; i++) {
        (void)snprintf(name, sizeof(name), "uWSGIWorker1Core%u", i);
        tags[i] = fake_tag(writer, CPROF_NO_REF, "thread", name);
    }
    do {
        for (unsigned i = 0; i < DEPTH; i++) {
            /* The root is common, the leaf is anybody. */
            uint32_t of = i < 20 ? next_random() % FUNCTIONS : i;

            frames[i] = (struct cprof_frame){codes[of], (int32_t)(next_random() % 8) * 8};
        }
        stack.tag_ref = tags[next_random() % THREADS];
        stack.kind = next_random() % 2 ? CPROF_STACK_OFF_CPU : CPROF_STACK_ON_CPU;
        stack.state = stack.kind == CPROF_STACK_OFF_CPU ? CPROF_STATE_POLL : 0;
    } while (write_stack(logs, writer, &stack));
}

static uint32_t write_code(struct cprof_log_writer *writer, uint32_t number, const char *directory)
{
    char name[CPROF_NAME_BYTES_MAX + 1], file[CPROF_NAME_BYTES_MAX + 1];

    memset(name, 'n', sizeof(name) - 1);
    memset(file, 'f', sizeof(file) - 1);
    name[sizeof(name) - 1] = file[sizeof(file) - 1] = '\0';
    memcpy(file, directory, strlen(directory));
    (void)snprintf(name + CPROF_NAME_BYTES_MAX - 10, 11, "%010u", number);
    return fake_code(writer, &(struct fake_code){.name = name,
                                                 .qualified_name = name,
                                                 .file = file,
                                                 .first_line = (int32_t)number});
}

/* Each stack has a function of its own, of the longest names. */
static void write_names(struct logs *logs, struct cprof_log_writer *writer)
{
    struct cprof_frame frame = {0};
    struct fake_stack stack = {.frames = &frame, .depth = 1};

    for (uint32_t i = 0; (frame.code_ref = write_code(writer, i, "/")) != CPROF_NO_REF; i++) {
        if (!write_stack(logs, writer, &stack)) {
            return;
        }
    }
}

/* No frame stands in two places. */
static void write_frames(struct logs *logs, struct cprof_log_writer *writer)
{
    struct cprof_frame frames[CPROF_DEPTH_MAX];
    struct fake_stack stack = {.frames = frames, .depth = CPROF_DEPTH_MAX};
    uint32_t code = write_code(writer, 1, "/");
    int32_t offset = 0;

    do {
        for (unsigned i = 0; i < CPROF_DEPTH_MAX; i++) {
            frames[i] = (struct cprof_frame){code, offset++};
        }
    } while (write_stack(logs, writer, &stack));
}

/* Deep stacks, and as many leaves on each as may be. */
static void write_leaves(struct logs *logs, struct cprof_log_writer *writer)
{
    struct cprof_frame frames[CPROF_DEPTH_MAX];
    struct fake_stack stack = {.frames = frames, .depth = CPROF_DEPTH_MAX};
    uint32_t code = write_code(writer, 1, "/"), ref = CPROF_NO_REF, next;

    for (int32_t offset = 0; offset < 100 * (int)CPROF_DEPTH_MAX;) {
        for (unsigned i = 0; i < CPROF_DEPTH_MAX; i++) {
            frames[i] = (struct cprof_frame){code, offset++};
        }
        next = fake_stack(writer, &stack);
        ref = next != CPROF_NO_REF ? next : ref;
    }
    for (uint32_t i = 0; i < CPROF_LEAVES_MAX; i++) {
        struct fake_leaf leaf = {.stack_ref = ref, .pc = 1 + i, .count = 1, .weight_ns = WEIGHT_NS};

        if (fake_leaf(writer, &leaf) == CPROF_NO_REF) {
            return;
        }
        logs->cpu_ns += WEIGHT_NS;
    }
}

/* Each stack has a chain of the longest tags. */
static void write_tags(struct logs *logs, struct cprof_log_writer *writer)
{
    char key[CPROF_NAME_BYTES_MAX + 1], value[CPROF_NAME_BYTES_MAX + 1];
    struct cprof_frame frame = {write_code(writer, 1, "/"), 0};
    struct fake_stack stack = {.frames = &frame, .depth = 1};

    memset(key, 'k', sizeof(key) - 1);
    memset(value, 'v', sizeof(value) - 1);
    key[sizeof(key) - 1] = value[sizeof(value) - 1] = '\0';
    for (unsigned i = 0; i < LONG_TAGS; i++) {
        key[0] = value[0] = (char)('a' + i);
        stack.tag_ref = fake_tag(writer, stack.tag_ref, key, value);
    }
    do {
        frame.byte_offset += 2;
    } while (write_stack(logs, writer, &stack));
}

/* Deep stacks that may wait in gevent: all of their files are looked at. */
static void write_gevent(struct logs *logs, struct cprof_log_writer *writer)
{
    struct cprof_frame frames[CPROF_DEPTH_MAX];
    struct fake_stack stack = {.frames = frames,
                               .depth = CPROF_DEPTH_MAX,
                               .kind = CPROF_STACK_OFF_CPU,
                               .state = CPROF_STATE_POLL};

    for (unsigned i = 0; i < CPROF_DEPTH_MAX; i++) {
        frames[i] = (struct cprof_frame){write_code(writer, i, i == 1 ? "/" : "/gevent/"), 0};
    }
    do {
        frames[1].byte_offset += 2;
    } while (write_stack(logs, writer, &stack));
}

/* Codes whose line table has very many parts and one that is too long. */
static void write_lines(struct logs *logs, struct cprof_log_writer *writer)
{
    enum { PARTS = 100000 };
    static const uint8_t part[16];
    struct cprof_frame frame = {0};
    struct fake_stack stack = {.frames = &frame, .depth = 1};
    uint32_t previous = CPROF_NO_REF;

    for (unsigned i = 0; i <= PARTS; i++) {
        uint32_t bytes = i == 0 ? sizeof(part) : 1;
        struct cprof_lines_record *lines =
            cprof_log_reserve(writer, CPROF_RECORD_LINES, (uint32_t)sizeof(*lines) + bytes);

        if (!lines) {
            break;
        }
        lines->previous_ref = previous;
        lines->part_bytes = bytes;
        previous = cprof_log_publish(writer);
    }
    for (;;) {
        struct cprof_code_record *code =
            cprof_log_reserve(writer, CPROF_RECORD_CODE, (uint32_t)sizeof(*code) + 8);

        if (!code) {
            return;
        }
        code->first_line = 1;
        code->line_format = CPROF_LINES_LNOTAB;
        code->lines_ref = previous;
        code->line_table_bytes = PARTS + 1;
        code->name_bytes = 8;
        memcpy(code + 1, "function", 8);
        frame.code_ref = cprof_log_publish(writer);
        if (!write_stack(logs, writer, &stack)) {
            return;
        }
    }
}

static const struct sort {
    const char *name;
    void (*write)(struct logs *logs, struct cprof_log_writer *writer);
} sorts[] = {
    {"busy", write_busy},     {"names", write_names}, {"frames", write_frames},
    {"leaves", write_leaves}, {"tags", write_tags},   {"gevent", write_gevent},
    {"lines", write_lines},
};

static void write_logs(struct logs *logs, const char *sort)
{
    for (unsigned i = 0; i < sizeof(sorts) / sizeof(*sorts); i++) {
        for (uint32_t slot = 0; strcmp(sorts[i].name, sort) == 0 && slot < logs->segment.slot_count;
             slot++) {
            struct cprof_log_writer writer = fake_writer(&logs->segment, slot, EPOCH, 1);
            uint64_t before_ns = logs->cpu_ns;

            sorts[i].write(logs, &writer);
            fake_close(&logs->segment, slot, EPOCH, logs->cpu_ns - before_ns);
        }
    }
    EXPECT(logs->cpu_ns + logs->asleep_ns > 0);
}

static void open_window(struct logs *logs)
{
    uint64_t now_ns = cprof_now_ns();
    struct cprof_window window = {
        .kinds = CPROF_KINDS_ALL,
        .source = CPROF_SOURCE_SCHEDULE,
        .period_ns = 10 * NS_PER_MS,
        .start_ns = now_ns - 8 * NS_PER_S,
        .end_ns = now_ns + 2 * NS_PER_S,
        .start_unix_ns = cprof_now_unix_ns() - 8 * NS_PER_S,
    };

    cprof_window_open(cprof_segment_control(&logs->segment), 0, &window);
}

static int sealed_config(const struct logs *logs, const char *socket, const char *directory,
                         uint32_t memory_mib)
{
    struct cprof_config config = {
        .magic = CPROF_CONFIG_MAGIC,
        .version = CPROF_CONFIG_VERSION,
        .config_bytes = sizeof(config),
        .instance = "web1",
        .output_interval_s = 86400,
        .output_duration_s = 1,
        .period_ms = 10,
        .set_period_ms = 10,
        .max_depth = 128,
        .tags = CPROF_TAG_WORKER | CPROF_TAG_THREAD | CPROF_TAG_STATE,
        .native_leaf = 1,
        .initial_backoff_s = 60,
        .gateway_memory_mib = memory_mib,
        .verbose = 1,
        .slot_count = logs->segment.slot_count,
        .worker_count = logs->segment.slot_count,
        .log_bytes = logs->segment.log_bytes,
    };
    int fd = memfd_create("config", MFD_ALLOW_SEALING);

    (void)snprintf(config.http_address, sizeof(config.http_address), "%s", socket);
    (void)snprintf(config.output_dir, sizeof(config.output_dir), "%s", directory);
    EXPECT(fd >= 0 && write(fd, &config, sizeof(config)) == (ssize_t)sizeof(config));
    EXPECT(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    return fd;
}

int main(int argc, char **argv)
{
    char segment_fd[16], config_fd[16];
    struct logs logs = {.cpu_ns = 0};

    EXPECT(argc == 8);
    fake_segment_open(&logs.segment, (uint32_t)strtoul(argv[3], NULL, 10),
                      strtoull(argv[4], NULL, 10) << 20);
    write_logs(&logs, argv[2]);
    (void)printf("cpu %llu asleep %llu\n", (unsigned long long)logs.cpu_ns,
                 (unsigned long long)logs.asleep_ns);
    (void)fflush(stdout);
    (void)snprintf(segment_fd, sizeof(segment_fd), "%d", logs.segment.fd);
    (void)snprintf(config_fd, sizeof(config_fd), "%d",
                   sealed_config(&logs, argv[5], argv[6], (uint32_t)strtoul(argv[7], NULL, 10)));
    (void)fcntl(logs.segment.fd, F_SETFD, 0);
    open_window(&logs);
    (void)execl(argv[1], "cloudprofiler-gateway", "--segment-fd", segment_fd, "--config-fd",
                config_fd, NULL);
    return 127;
}
