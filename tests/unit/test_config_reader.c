/* test_config_reader.c - see gateway/config_reader.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/config_reader.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "expect.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

static struct cprof_config sound(void)
{
    return (struct cprof_config){
        .magic = CPROF_CONFIG_MAGIC,
        .version = CPROF_CONFIG_VERSION,
        .config_bytes = sizeof(struct cprof_config),
        .service = "shop",
        .output_dir = "/tmp",
        .api_endpoint = "https://localhost",
        .initial_backoff_s = 60,
        .gateway_memory_mib = 64,
        .output_interval_s = 60,
        .output_duration_s = 10,
        .period_ms = 10,
        .set_period_ms = 10,
        .max_depth = 128,
        .slot_count = 2,
        .log_bytes = UINT64_C(4) << 20,
    };
}

/* Passes *config through a memory file of `bytes` bytes; *error is empty if it is accepted. */
static bool reads(const struct cprof_config *config, size_t bytes, int seals,
                  struct cprof_error *error)
{
    int fd = memfd_create("config", MFD_ALLOW_SEALING);
    struct cprof_config got;
    bool ok;

    EXPECT(fd >= 0 && write(fd, config, bytes) == (ssize_t)bytes);
    EXPECT(fcntl(fd, F_ADD_SEALS, seals) == 0);
    error->text[0] = '\0';
    ok = cprof_config_read(&got, fd, error);
    EXPECT(!ok || memcmp(&got, config, sizeof(got)) == 0);
    EXPECT(ok == (error->text[0] == '\0'));
    close(fd);
    return ok;
}

static void a_sound_configuration_is_taken(void)
{
    struct cprof_config config = sound();
    struct cprof_error error;

    EXPECT(reads(&config, sizeof(config), SEALS, &error));
}

static void a_file_that_could_still_change_is_refused(void)
{
    struct cprof_config config = sound();
    struct cprof_error error;

    EXPECT(!reads(&config, sizeof(config), F_SEAL_SHRINK | F_SEAL_GROW, &error));
    EXPECT(!reads(&config, sizeof(config), F_SEAL_WRITE, &error));
    EXPECT(strstr(error.text, "not a sealed memory file"));
    EXPECT(!cprof_config_read(&config, STDERR_FILENO, &error));
}

static void another_build_is_refused(void)
{
    struct cprof_config config = sound();
    struct cprof_error error;

    EXPECT(!reads(&config, sizeof(config) - 1, SEALS, &error));
    config.version++;
    EXPECT(!reads(&config, sizeof(config), SEALS, &error));
    EXPECT(strstr(error.text, "another build"));
}

/* Sets one field of a sound configuration; it must be refused with a text that names it. */
#define REFUSED(field, value, name)                                                                \
    do {                                                                                           \
        struct cprof_config config = sound();                                                      \
        struct cprof_error error;                                                                  \
                                                                                                   \
        config.field = (value);                                                                    \
        EXPECT(!reads(&config, sizeof(config), SEALS, &error));                                    \
        EXPECT(strstr(error.text, name));                                                          \
    } while (0)

static void numbers_out_of_bounds_are_refused_by_name(void)
{
    REFUSED(period_ms, 0, "period_ms");
    REFUSED(period_ms, 1001, "period_ms");
    REFUSED(set_period_ms, 0, "set_period_ms");
    REFUSED(max_depth, 0, "max_depth");
    REFUSED(verbose, 4, "verbose");
    REFUSED(output_interval_s, 0, "output_interval_s");
    REFUSED(output_duration_s, 61, "output_duration_s");
    REFUSED(output_interval_s, CPROF_INTERVAL_S_MAX + 1, "output_interval_s");
    REFUSED(output_keep, CPROF_KEEP_MAX + 1, "output_keep");
    REFUSED(tags, CPROF_TAGS_ALL + 1, "tags");
    REFUSED(tags, CPROF_TAG_PATH, "path_segments");
    REFUSED(path_segments, CPROF_PATH_SEGMENTS_MAX + 1, "path_segments");
    REFUSED(disable_wall, 2, "disable_wall");
    REFUSED(upload, 2, "upload");
    REFUSED(disable_metadata, 2, "disable_metadata");
    REFUSED(initial_backoff_s, 0, "initial_backoff_s");
    REFUSED(initial_backoff_s, 3601, "initial_backoff_s");
    REFUSED(gateway_memory_mib, 63, "gateway_memory_mib");
    REFUSED(gateway_memory_mib, 4097, "gateway_memory_mib");
    REFUSED(wall_idle, 2, "wall_idle");
    REFUSED(slot_count, 0, "slot_count");
    REFUSED(log_bytes, 1, "log_bytes");
    REFUSED(max_overhead_hundredths, 5001, "max_overhead_hundredths");
    REFUSED(max_samples, CPROF_MAX_SAMPLES_MAX + 1, "max_samples");
    REFUSED(root_tag_count, CPROF_ROOT_TAGS_MAX + 1, "root_tag_count");
}

static void a_configuration_that_leaves_no_kind_of_profile_is_refused(void)
{
    struct cprof_config config = sound();
    struct cprof_error error;

    config.disable_cpu = 1;
    EXPECT(reads(&config, sizeof(config), SEALS, &error));
    config.disable_wall = 1;
    EXPECT(!reads(&config, sizeof(config), SEALS, &error));
}

static void a_text_without_end_is_refused(void)
{
    struct cprof_config config = sound();
    struct cprof_error error;

    memset(config.output_dir, 'x', sizeof(config.output_dir));
    EXPECT(!reads(&config, sizeof(config), SEALS, &error));
    EXPECT(strstr(error.text, "no end"));
    config = sound();
    memset(config.root_tags[CPROF_ROOT_TAGS_MAX - 1], 'x', CPROF_ROOT_TAG_KEY_BYTES);
    EXPECT(!reads(&config, sizeof(config), SEALS, &error));
    EXPECT(strstr(error.text, "no end"));
}

int main(void)
{
    RUN(a_sound_configuration_is_taken);
    RUN(a_file_that_could_still_change_is_refused);
    RUN(another_build_is_refused);
    RUN(numbers_out_of_bounds_are_refused_by_name);
    RUN(a_configuration_that_leaves_no_kind_of_profile_is_refused);
    RUN(a_text_without_end_is_refused);
    return 0;
}
