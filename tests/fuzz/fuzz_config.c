/* fuzz_config.c - a configuration with any bytes in it (gateway/config_reader.h), as patches of a
 * sound one. What is taken must have ends to its texts and numbers within bounds.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../gateway/config_reader.h"
#include "../../shared/segment/layout.h"
#include "../unit/expect.h"
#include "fuzz.h"
#include "patches.h"

static const struct cprof_config sound = {
    .magic = CPROF_CONFIG_MAGIC,
    .version = CPROF_CONFIG_VERSION,
    .config_bytes = sizeof(struct cprof_config),
    .service = "shop",
    .output_dir = "/tmp",
    .output_interval_s = 60,
    .output_duration_s = 10,
    .period_ms = 10,
    .set_period_ms = 10,
    .max_depth = 128,
    .initial_backoff_s = 60,
    .gateway_memory_mib = 64,
    .slot_count = 2,
    .log_bytes = UINT64_C(4) << 20,
};

static int sealed_file(const struct cprof_config *config)
{
    int fd = memfd_create("config", MFD_ALLOW_SEALING);

    EXPECT(fd >= 0 && write(fd, config, sizeof(*config)) == (ssize_t)sizeof(*config));
    EXPECT(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    return fd;
}

static void check(const struct cprof_config *config)
{
    EXPECT(strnlen(config->service, sizeof(config->service)) < sizeof(config->service));
    EXPECT(strnlen(config->credentials, sizeof(config->credentials)) < sizeof(config->credentials));
    EXPECT(strnlen(config->python_version, sizeof(config->python_version)) <
           sizeof(config->python_version));
    EXPECT(config->period_ms >= 1 && config->period_ms <= 1000);
    EXPECT(config->slot_count >= 1 && config->slot_count <= CPROF_SLOTS_MAX);
    EXPECT(config->log_bytes <= CPROF_LOG_BYTES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cprof_config config = sound, got;
    struct cprof_error error = {0};
    int fd;

    fuzz_patch(&config, sizeof(config), data, size);
    fd = sealed_file(&config);
    if (cprof_config_read(&got, fd, &error)) {
        check(&got);
    } else {
        EXPECT(error.text[0] != '\0');
    }
    close(fd);
    return 0;
}
