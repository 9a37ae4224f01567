/* options.c - see options.h. The one file that may end the process.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "options.h"

#include <fcntl.h>
#include <regex.h>

#include "../base/log.h"
#include "../share/layout.h"

extern struct uwsgi_server uwsgi;

#define PREFIX "cloudprofiler-"

#define SERVICE_PATTERN  "^[a-z0-9]([-a-z0-9_.]{0,253}[a-z0-9])?$"
#define SERVICE_ACCEPTED "1 to 255 of a-z 0-9 - _ . (first and last: a letter or digit)"

#define GATEWAY_PROGRAM "/cloudprofiler-gateway"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)

static struct {
    struct cprof_options options;
    bool tags_given;
    char plugin_directory[CPROF_PATH_BYTES];
} state = {
    .options.config =
        {
            .output_interval_s = 60,
            .output_duration_s = 10,
            .output_keep = 100,
            .period_ms = 10,
            .max_depth = 128,
            .verbose = CPROF_LOG_WARNING,
            .log_bytes = 4 * MIB,
        },
};

/* Says what is wrong and ends the start, which has not forked yet. */
__attribute__((noreturn)) static void refuse(const char *option, const char *value,
                                             const char *accepted)
{
    cprof_log(CPROF_LOG_ERROR, "%s: \"%s\" is not accepted; give %s", option, value ? value : "",
              accepted);
    exit(1);
}

/* For what the world may have changed since the first start: a directory or a program that is
 * gone must not take a server down that reloads. It serves on without the profiler then. */
static void refuse_path(const char *option, const char *path, const char *accepted)
{
    if (!uwsgi.is_a_reload) {
        refuse(option, path, accepted);
    }
    cprof_log(CPROF_LOG_ERROR, "%s: \"%s\" cannot be used any more, it should be %s: not profiling",
              option, path, accepted);
    state.options.unusable = true;
}

/* An unsigned decimal number and nothing else. */
static bool parse_number(const char *text, uint64_t lowest, uint64_t highest, uint64_t *number)
{
    char *end;

    if (!text || !isdigit((unsigned char)text[0])) {
        return false;
    }
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *number >= lowest && *number <= highest;
}

struct number_range {
    uint32_t *number;
    uint32_t lowest;
    uint32_t highest;
    const char *unit;
};

static struct number_range interval_range = {&state.options.config.output_interval_s, 1, 86400,
                                             "seconds"};
static struct number_range duration_range = {&state.options.config.output_duration_s, 1, 600,
                                             "seconds"};
static struct number_range keep_range = {&state.options.config.output_keep, 0, 1000000,
                                         "files (0: all)"};
static struct number_range period_range = {&state.options.config.period_ms, 1, 1000,
                                           "milliseconds"};
static struct number_range depth_range = {&state.options.config.max_depth, 1, CPROF_DEPTH_MAX,
                                          "frames"};
static struct number_range verbose_range = {&state.options.config.verbose, 0, 3,
                                            "(0 error, 1 warning, 2 info, 3 debug)"};

static void set_number(char *option, char *value, void *data)
{
    const struct number_range *range = data;
    uint64_t number;
    char accepted[128];

    if (!parse_number(value, range->lowest, range->highest, &number)) {
        (void)snprintf(accepted, sizeof(accepted), "a whole number from %u to %u %s", range->lowest,
                       range->highest, range->unit);
        refuse(option, value, accepted);
    }
    *range->number = (uint32_t)number;
}

static void set_flag(char *option, char *value, void *data)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    uint32_t *flag = data;

    *flag = 1;
    for (size_t i = 0; value && i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (strcasecmp(value, yes[i]) == 0) {
            return;
        }
        if (strcasecmp(value, no[i]) == 0) {
            *flag = 0;
            return;
        }
    }
    if (value && value[0] != '\0') {
        refuse(option, value, "true or false, or nothing");
    }
}

struct text_place {
    char *text;
    size_t text_bytes;
};

static struct text_place version_place = {state.options.config.service_version,
                                          sizeof(state.options.config.service_version)};
static struct text_place directory_place = {state.options.config.output_dir,
                                            sizeof(state.options.config.output_dir)};
static struct text_place gateway_place = {state.options.gateway_binary,
                                          sizeof(state.options.gateway_binary)};

static void set_text(char *option, char *value, void *data)
{
    const struct text_place *place = data;
    char accepted[64];

    if (!value || value[0] == '\0' || strlen(value) >= place->text_bytes) {
        (void)snprintf(accepted, sizeof(accepted), "1 to %zu bytes of text", place->text_bytes - 1);
        refuse(option, value, accepted);
    }
    (void)snprintf(place->text, place->text_bytes, "%s", value);
}

static bool is_service_name(const char *name)
{
    regex_t pattern;
    bool matches;

    if (regcomp(&pattern, SERVICE_PATTERN, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    matches = regexec(&pattern, name, 0, NULL, 0) == 0;
    regfree(&pattern);
    return matches;
}

static void set_service(char *option, char *value, void *data)
{
    (void)data;
    if (!value || !is_service_name(value)) {
        refuse(option, value, SERVICE_ACCEPTED);
    }
    (void)snprintf(state.options.config.service, sizeof(state.options.config.service), "%s", value);
}

static void add_tag(char *option, char *value, void *data)
{
    uint32_t *tags = &state.options.config.tags;

    (void)data;
    state.tags_given = true;
    if (value && strcmp(value, "worker") == 0) {
        *tags |= CPROF_TAG_WORKER;
    } else if (value && strcmp(value, "thread") == 0) {
        *tags |= CPROF_TAG_THREAD;
    } else if (value && strcmp(value, "state") == 0) {
        *tags |= CPROF_TAG_STATE;
    } else {
        refuse(option, value, "worker, thread or state");
    }
}

/* "4m", "512k" or a number of bytes; rounded up to whole regions. */
static void set_log_size(char *option, char *value, void *data)
{
    static const char accepted[] = "a size from 256k to 1024m (k: KiB, m: MiB, nothing: bytes)";
    size_t length = value ? strlen(value) : 0;
    char digits[32];
    uint64_t unit = 1, number;

    (void)data;
    if (length == 0 || length >= sizeof(digits)) {
        refuse(option, value, accepted);
    }
    (void)snprintf(digits, sizeof(digits), "%s", value);
    if (tolower((unsigned char)digits[length - 1]) == 'k') {
        unit = KIB;
    } else if (tolower((unsigned char)digits[length - 1]) == 'm') {
        unit = MIB;
    }
    if (unit != 1) {
        digits[length - 1] = '\0';
    }
    if (!parse_number(digits, 1, CPROF_LOG_BYTES_MAX, &number) ||
        number * unit < CPROF_LOG_BYTES_MIN || number * unit > CPROF_LOG_BYTES_MAX) {
        refuse(option, value, accepted);
    }
    state.options.config.log_bytes =
        (number * unit + CPROF_REGION_BYTES - 1) / CPROF_REGION_BYTES * CPROF_REGION_BYTES;
}

static uint32_t disable_flag;

/* NOLINTBEGIN(readability-redundant-casting): uWSGI's table has no const in it. */
struct uwsgi_option cprof_option_table[] = {
    {(char *)PREFIX "service", required_argument, 0,
     (char *)"name of the service in profiles and file names (default: GAE_SERVICE or K_SERVICE "
             "of the environment)",
     set_service, NULL, 0},
    {(char *)PREFIX "service-version", required_argument, 0,
     (char *)"version of the service, at most 512 bytes (default: GAE_VERSION or K_REVISION of "
             "the environment)",
     set_text, &version_place, 0},
    {(char *)PREFIX "disable-cpu-profiling", no_argument, 0,
     (char *)"take no CPU profiles (default: off)", set_flag, &state.options.config.disable_cpu, 0},
    {(char *)PREFIX "disable-wall-profiling", no_argument, 0,
     (char *)"take no wall profiles (default: off)", set_flag, &state.options.config.disable_wall,
     0},
    {(char *)PREFIX "wall-idle", no_argument, 0,
     (char *)"keep threads that wait for a request in wall profiles, as [idle] (default: off)",
     set_flag, &state.options.config.wall_idle, 0},
    {(char *)PREFIX "period-ms", required_argument, 0,
     (char *)"CPU time between two samples of a thread, and shortest time between two looks at a "
             "sleeping one, 1 to 1000 ms (default: 10)",
     set_number, &period_range, 0},
    {(char *)PREFIX "max-depth", required_argument, 0,
     (char *)"frames kept of a stack, 1 to 1024, the innermost ones (default: 128)", set_number,
     &depth_range, 0},
    {(char *)PREFIX "verbose", required_argument, 0,
     (char *)"what is logged: 0 errors, 1 warnings, 2 info, 3 debug (default: 1)", set_number,
     &verbose_range, 0},
    {(char *)PREFIX "output-dir", required_argument, 0,
     (char *)"write pprof files to this directory, which must exist (default: none are written)",
     set_text, &directory_place, 0},
    {(char *)PREFIX "output-interval", required_argument, 0,
     (char *)"seconds from the start of a file's profile to the start of the next, 1 to 86400 "
             "(default: 60)",
     set_number, &interval_range, 0},
    {(char *)PREFIX "output-duration", required_argument, 0,
     (char *)"seconds that a file's profile covers, 1 to 600 (default: 10)", set_number,
     &duration_range, 0},
    {(char *)PREFIX "output-keep", required_argument, 0,
     (char *)"number of files of each kind kept in output-dir, 0 for all (default: 100)",
     set_number, &keep_range, 0},
    {(char *)PREFIX "tag", required_argument, 0,
     (char *)"tag samples with: worker, thread, or state (wall profiles: what the thread waits "
             "in); may be repeated (default: all three)",
     add_tag, NULL, 0},
    {(char *)PREFIX "worker-frame", no_argument, 0,
     (char *)"put the worker as the root frame of each stack, for viewers that show no tags "
             "(default: off)",
     set_flag, &state.options.config.worker_frame, 0},
    {(char *)PREFIX "log-size", required_argument, 0,
     (char *)"shared memory for one worker's samples, 256k to 1024m, used only as needed "
             "(default: 4m)",
     set_log_size, NULL, 0},
    {(char *)PREFIX "gateway-binary", required_argument, 0,
     (char *)"the gateway program (default: cloudprofiler-gateway beside the plugin)", set_text,
     &gateway_place, 0},
    {(char *)PREFIX "disable", no_argument, 0,
     (char *)"load the plugin but do nothing; so does CLOUDPROFILER_DISABLE=1 in the environment "
             "(default: off)",
     set_flag, &disable_flag, 0},
    UWSGI_END_OF_OPTIONS};
/* NOLINTEND(readability-redundant-casting) */

void cprof_options_note_plugin_path(const char *plugin_path)
{
    char *resolved = realpath(plugin_path, NULL);
    char *slash = resolved ? strrchr(resolved, '/') : NULL;

    if (slash) {
        (void)snprintf(state.plugin_directory, sizeof(state.plugin_directory), "%.*s",
                       (int)(slash - resolved), resolved);
    }
    free(resolved);
}

unsigned cprof_options_verbose(void)
{
    return state.options.config.verbose;
}

/* The first of the two variables that is set. */
static const char *environment_value(const char *first, const char *second, const char **name)
{
    *name = first;
    if (getenv(first)) {
        return getenv(first);
    }
    *name = second;
    return getenv(second);
}

static void take_environment(void)
{
    struct cprof_config *config = &state.options.config;
    const char *disable = getenv("CLOUDPROFILER_DISABLE");
    const char *name, *value;

    state.options.disabled = disable_flag || (disable && strcmp(disable, "1") == 0);
    if (disable && disable[0] != '\0' && strcmp(disable, "1") != 0 && strcmp(disable, "0") != 0) {
        cprof_log(
            CPROF_LOG_WARNING,
            "CLOUDPROFILER_DISABLE of the environment is \"%.40s\", which is neither 1 nor 0: "
            "ignored",
            disable);
    }
    value = environment_value("GAE_SERVICE", "K_SERVICE", &name);
    if (config->service[0] == '\0' && value) {
        if (is_service_name(value)) {
            (void)snprintf(config->service, sizeof(config->service), "%s", value);
        } else {
            cprof_log(CPROF_LOG_WARNING, "%s of the environment is no service name (%s): ignored",
                      name, SERVICE_ACCEPTED);
        }
    }
    value = environment_value("GAE_VERSION", "K_REVISION", &name);
    if (config->service_version[0] == '\0' && value) {
        (void)snprintf(config->service_version, sizeof(config->service_version), "%s", value);
    }
    if (gethostname(config->instance, sizeof(config->instance) - 1) != 0) {
        (void)snprintf(config->instance, sizeof(config->instance), "localhost");
    }
}

/* Replaces a path by its absolute form, since the gateway's working directory is its own affair.
 * False: it does not exist or is too long, which was said. */
static bool make_absolute(const char *option, char *path, size_t path_bytes, const char *accepted)
{
    char *resolved = realpath(path, NULL);
    bool fits = resolved && strlen(resolved) < path_bytes;

    if (fits) {
        (void)snprintf(path, path_bytes, "%s", resolved);
    } else {
        refuse_path(option, path, resolved ? "a shorter path" : accepted);
    }
    free(resolved);
    return fits;
}

static void check_gateway_binary(void)
{
    static const char accepted[] = "a program that the server's uid can execute";
    char *binary = state.options.gateway_binary;
    size_t length = strlen(state.plugin_directory);
    struct stat status;

    if (binary[0] == '\0') {
        if (length + sizeof(GATEWAY_PROGRAM) > sizeof(state.options.gateway_binary)) {
            refuse(PREFIX "gateway-binary", state.plugin_directory, "a shorter path");
        }
        memcpy(binary, state.plugin_directory, length);
        memcpy(binary + length, GATEWAY_PROGRAM, sizeof(GATEWAY_PROGRAM));
    }
    if (!make_absolute(PREFIX "gateway-binary", binary, sizeof(state.options.gateway_binary),
                       accepted)) {
        return;
    }
    if (stat(binary, &status) != 0 || !S_ISREG(status.st_mode) ||
        faccessat(AT_FDCWD, binary, X_OK, AT_EACCESS) != 0) {
        refuse_path(PREFIX "gateway-binary", binary, accepted);
    }
}

/* As the uid that will write there. */
static void check_output_dir(void)
{
    static const char accepted[] = "a directory that exists";
    char *directory = state.options.config.output_dir;
    struct stat status;
    char writable[128];

    if (!make_absolute(PREFIX "output-dir", directory, sizeof(state.options.config.output_dir),
                       accepted)) {
        return;
    }
    if (stat(directory, &status) != 0 || !S_ISDIR(status.st_mode)) {
        refuse_path(PREFIX "output-dir", directory, accepted);
    } else if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) != 0) {
        (void)snprintf(writable, sizeof(writable), "a directory that uid %u can write to",
                       (unsigned)geteuid());
        refuse_path(PREFIX "output-dir", directory, writable);
    }
}

const struct cprof_options *cprof_options_finish(void)
{
    struct cprof_config *config = &state.options.config;
    char duration[16], accepted[128];

    if (!state.tags_given) {
        config->tags = CPROF_TAG_WORKER | CPROF_TAG_THREAD | CPROF_TAG_STATE;
    }
    take_environment();
    if (state.options.disabled) {
        return &state.options;
    }
    if (config->disable_cpu && config->disable_wall) {
        refuse(PREFIX "disable-wall-profiling", "true",
               "this option or " PREFIX "disable-cpu-profiling, not both; " PREFIX
               "disable takes no profiles at all");
    }
    if (config->output_duration_s > config->output_interval_s) {
        (void)snprintf(duration, sizeof(duration), "%u", config->output_duration_s);
        (void)snprintf(accepted, sizeof(accepted),
                       "at most the " PREFIX "output-interval, which is %u seconds",
                       config->output_interval_s);
        refuse(PREFIX "output-duration", duration, accepted);
    }
    if (config->output_dir[0] != '\0') {
        check_output_dir();
        check_gateway_binary();
    }
    return &state.options;
}
