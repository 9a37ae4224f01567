/* options.c - see options.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "options.h"

#include <fcntl.h>

#include "../base/log.h"
#include "../share/layout.h"
#include "option_values.h"

extern struct uwsgi_server uwsgi;

#define PREFIX "cloudprofiler-"

#define SERVICE_PATTERN  "^[a-z0-9]([-a-z0-9_.]{0,253}[a-z0-9])?$"
#define SERVICE_ACCEPTED "1 to 255 of a-z 0-9 - _ . (first and last: a letter or digit)"

#define PROJECT_PATTERN "^[a-z][-a-z0-9:.]{4,61}[a-z0-9]$"
#define PROJECT_ACCEPTED                                                                           \
    "a project's id: 6 to 63 of a-z 0-9 - : . (first: a letter, last: a letter or digit)"

#define ENDPOINT_PATTERN  "^https://([-A-Za-z0-9.]+|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?$"
#define ENDPOINT_ACCEPTED "https://HOST or https://HOST:PORT"
#define ENDPOINT_DEFAULT  "https://cloudprofiler.googleapis.com"

#define GATEWAY_PROGRAM "/cloudprofiler-gateway"
#define WEB_DIRECTORY   "/cloudprofiler-web"

#define HTTP_PATTERN "^(/.+|([0-9.]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5})$"
#define HTTP_ACCEPTED                                                                              \
    "the absolute path of a unix socket (at most 107 bytes), 127.0.0.1:PORT or [::1]:PORT"
#define LOOPBACK_PATTERN "^(/.+|(127\\.0\\.0\\.1|\\[::1\\]):[0-9]{1,5})$"

/* As it stands in a URL, so that it needs no quoting there. */
#define TOKEN_PATTERN  "^[-A-Za-z0-9._~]{16,128}$"
#define TOKEN_ACCEPTED "16 to 128 of A-Z a-z 0-9 - . _ ~"

#define PATH_TAG "path:"

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
            .native_leaf = 1,
            .max_overhead_hundredths = 100,
            .verbose = CPROF_LOG_WARNING,
            .initial_backoff_s = 60,
            .api_endpoint = ENDPOINT_DEFAULT,
            .log_bytes = 4 * MIB,
        },
};

/* For what the world may have changed since the first start: a directory or a program that is
 * gone must not take a server down that reloads. It serves on without the profiler then. */
static void refuse_path(const char *option, const char *path, const char *accepted)
{
    if (!uwsgi.is_a_reload) {
        cprof_option_refuse(option, path, accepted);
    }
    cprof_log(CPROF_LOG_ERROR, "%s: \"%s\" cannot be used any more, it should be %s: not profiling",
              option, path, accepted);
    state.options.unusable = true;
}

static struct cprof_number_option interval_range = {&state.options.config.output_interval_s, 1,
                                                    86400, "seconds"};
static struct cprof_number_option duration_range = {&state.options.config.output_duration_s, 1, 600,
                                                    "seconds"};
static struct cprof_number_option keep_range = {&state.options.config.output_keep, 0, 1000000,
                                                "files (0: all)"};
static struct cprof_number_option period_range = {&state.options.config.period_ms, 1, 1000,
                                                  "milliseconds"};
static struct cprof_number_option depth_range = {&state.options.config.max_depth, 1,
                                                 CPROF_DEPTH_MAX, "frames"};
static struct cprof_number_option slow_range = {&state.options.config.slow_request_s, 1, 3600,
                                                "seconds"};
static struct cprof_number_option backoff_range = {&state.options.config.initial_backoff_s, 1, 3600,
                                                   "seconds"};
static struct cprof_number_option verbose_range = {&state.options.config.verbose, 0, 3,
                                                   "(0 error, 1 warning, 2 info, 3 debug)"};

#define TEXT_OPTION(field) .text = (field), .text_bytes = sizeof(field)

static struct cprof_text_option service_text = {TEXT_OPTION(state.options.config.service),
                                                .pattern = SERVICE_PATTERN,
                                                .accepted = SERVICE_ACCEPTED};
static struct cprof_text_option version_text = {TEXT_OPTION(state.options.config.service_version)};
static struct cprof_text_option project_text = {TEXT_OPTION(state.options.config.project_id),
                                                .pattern = PROJECT_PATTERN,
                                                .accepted = PROJECT_ACCEPTED};
static struct cprof_text_option zone_text = {TEXT_OPTION(state.options.config.zone)};
static struct cprof_text_option instance_text = {TEXT_OPTION(state.options.config.instance_label)};
static struct cprof_text_option endpoint_text = {TEXT_OPTION(state.options.config.api_endpoint),
                                                 .pattern = ENDPOINT_PATTERN,
                                                 .accepted = ENDPOINT_ACCEPTED};
static struct cprof_text_option credentials_text = {TEXT_OPTION(state.options.config.credentials)};
static struct cprof_text_option ca_text = {TEXT_OPTION(state.options.config.ca_file)};
static struct cprof_text_option directory_text = {TEXT_OPTION(state.options.config.output_dir)};
static struct cprof_text_option http_text = {TEXT_OPTION(state.options.config.http_address),
                                             .pattern = HTTP_PATTERN, .accepted = HTTP_ACCEPTED};
static struct cprof_text_option http_token_text = {TEXT_OPTION(state.options.config.http_token),
                                                   .pattern = TOKEN_PATTERN,
                                                   .accepted = TOKEN_ACCEPTED, .secret = true};
static struct cprof_text_option http_token_file_text = {
    TEXT_OPTION(state.options.config.http_token_file), .pattern = "^/.+",
    .accepted = "the absolute path of a file"};
static struct cprof_text_option gateway_text = {TEXT_OPTION(state.options.gateway_binary)};

static void add_tag(char *option, char *value, void *data)
{
    static const struct {
        const char *name;
        enum cprof_tag_bit bit;
    } plain[] = {
        {"worker", CPROF_TAG_WORKER}, {"thread", CPROF_TAG_THREAD}, {"state", CPROF_TAG_STATE},
        {"method", CPROF_TAG_METHOD}, {"host", CPROF_TAG_HOST},     {"mount", CPROF_TAG_MOUNT},
        {"gil", CPROF_TAG_GIL},
    };
    struct cprof_config *config = &state.options.config;
    uint64_t segments;

    (void)data;
    state.tags_given = true;
    for (size_t i = 0; value && i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (strcmp(value, plain[i].name) == 0) {
            config->tags |= plain[i].bit;
            return;
        }
    }
    if (!value || strncmp(value, PATH_TAG, sizeof(PATH_TAG) - 1) != 0 ||
        !cprof_option_parse_number(value + sizeof(PATH_TAG) - 1, 1, CPROF_PATH_SEGMENTS_MAX,
                                   &segments)) {
        cprof_option_refuse(
            option, value,
            "worker, thread, state, gil, method, host, mount, or path:N with the number "
            "of segments to keep, 1 to 16");
    }
    config->tags |= CPROF_TAG_PATH;
    config->path_segments = (uint32_t)segments;
}

static void add_root_tag(char *option, char *value, void *data)
{
    struct cprof_config *config = &state.options.config;

    (void)data;
    if (!cprof_option_is_tag_key(value)) {
        cprof_option_refuse(option, value, "the key of a tag: 1 to 64 of a-z 0-9 _ . -");
    }
    if (config->root_tag_count == CPROF_ROOT_TAGS_MAX) {
        cprof_option_refuse(option, value, "at most 8 of them");
    }
    (void)snprintf(config->root_tags[config->root_tag_count++], CPROF_ROOT_TAG_KEY_BYTES, "%s",
                   value);
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
        cprof_option_refuse(option, value, accepted);
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
    if (!cprof_option_parse_number(digits, 1, CPROF_LOG_BYTES_MAX, &number) ||
        number * unit < CPROF_LOG_BYTES_MIN || number * unit > CPROF_LOG_BYTES_MAX) {
        cprof_option_refuse(option, value, accepted);
    }
    state.options.config.log_bytes =
        (number * unit + CPROF_REGION_BYTES - 1) / CPROF_REGION_BYTES * CPROF_REGION_BYTES;
}

/* Bit n: worker n + 1. All zeros: every worker. */
static uint8_t wanted_workers[CPROF_SLOTS_MAX / 8];
static uint32_t highest_worker;

static void set_workers(char *option, char *value, void *data)
{
    static const char accepted[] = "numbers of workers with commas between them, as in 1,3";
    char *copy = value ? strdup(value) : NULL, *rest = copy, *word;
    uint64_t number;

    (void)data;
    if (!copy) {
        cprof_option_refuse(option, value, accepted);
    }
    while ((word = strsep(&rest, ",")) != NULL) {
        if (!cprof_option_parse_number(word + strspn(word, " "), 1, CPROF_SLOTS_MAX, &number)) {
            cprof_option_refuse(option, value, accepted);
        }
        wanted_workers[(number - 1) / 8] |= (uint8_t)(1u << (number - 1) % 8);
        highest_worker = number > highest_worker ? (uint32_t)number : highest_worker;
    }
    free(copy);
}

static void check_workers(void)
{
    char number[16], accepted[64];

    if (uwsgi.numproc > 0 && highest_worker > (uint32_t)uwsgi.numproc) {
        (void)snprintf(number, sizeof(number), "%u", highest_worker);
        (void)snprintf(accepted, sizeof(accepted), "workers from 1 to %d", uwsgi.numproc);
        cprof_option_refuse(PREFIX "workers", number, accepted);
    }
}

static void set_native_leaf(char *option, char *value, void *data)
{
    (void)data;
    if (value && strcmp(value, "true") == 0) {
        state.options.config.native_leaf = 1;
    } else if (value && strcmp(value, "false") == 0) {
        state.options.config.native_leaf = 0;
    } else {
        cprof_option_refuse(option, value, "true or false");
    }
}

/* "1", "0.05", "2.5": in hundredths, which are all that is told apart. */
static void set_max_overhead(char *option, char *value, void *data)
{
    static const char accepted[] =
        "per cent from 0.05 to 50, with at most two decimals, or off: no ceiling";
    const char *point = value ? strchr(value, '.') : NULL;
    size_t decimals = point ? strlen(point + 1) : 0;
    char digits[32];
    uint64_t number, scale = decimals == 0 ? 100 : decimals == 1 ? 10 : 1;

    (void)data;
    if (value && strcmp(value, "off") == 0) {
        state.options.config.max_overhead_hundredths = 0;
        return;
    }
    if (!value || strlen(value) >= sizeof(digits) || (point && decimals == 0) || decimals > 2) {
        cprof_option_refuse(option, value, accepted);
    }
    (void)snprintf(digits, sizeof(digits), "%.*s%s",
                   point ? (int)(point - value) : (int)strlen(value), value,
                   point ? point + 1 : "");
    if (!cprof_option_parse_number(digits, 1, 5000, &number) || point == value ||
        number * scale < 5 || number * scale > 5000) {
        cprof_option_refuse(option, value, accepted);
    }
    state.options.config.max_overhead_hundredths = (uint32_t)(number * scale);
}

static uint32_t disable_flag, disable_upload_flag, check_flag;

/* NOLINTBEGIN(readability-redundant-casting): uWSGI's table has no const in it. */
struct uwsgi_option cprof_option_table[] = {
    {(char *)PREFIX "service", required_argument, 0,
     (char *)"name of the service; profiles of a named service go to Cloud Profiler (default: "
             "GAE_SERVICE or K_SERVICE of the environment)",
     cprof_option_set_text, &service_text, 0},
    {(char *)PREFIX "service-version", required_argument, 0,
     (char *)"version of the service, at most 512 bytes (default: GAE_VERSION or K_REVISION of "
             "the environment)",
     cprof_option_set_text, &version_text, 0},
    {(char *)PREFIX "project-id", required_argument, 0,
     (char *)"the Google Cloud project that profiles go to (default: GOOGLE_CLOUD_PROJECT of the "
             "environment, the project of the credentials, the metadata server's)",
     cprof_option_set_text, &project_text, 0},
    {(char *)PREFIX "zone", required_argument, 0,
     (char *)"label of the deployment, at most 127 bytes (default: the metadata server's)",
     cprof_option_set_text, &zone_text, 0},
    {(char *)PREFIX "instance", required_argument, 0,
     (char *)"label of the profiles, at most 255 bytes (default: the metadata server's, else the "
             "host name)",
     cprof_option_set_text, &instance_text, 0},
    {(char *)PREFIX "credentials", required_argument, 0,
     (char *)"a JSON file with credentials for Google Cloud (default: "
             "GOOGLE_APPLICATION_CREDENTIALS of the environment, gcloud's well-known file, the "
             "metadata server)",
     cprof_option_set_text, &credentials_text, 0},
    {(char *)PREFIX "api-endpoint", required_argument, 0,
     (char *)"where the profiling API is (default: " ENDPOINT_DEFAULT ")", cprof_option_set_text,
     &endpoint_text, 0},
    {(char *)PREFIX "ca-file", required_argument, 0,
     (char *)"PEM file with the CA certificates that are trusted (default: the system's)",
     cprof_option_set_text, &ca_text, 0},
    {(char *)PREFIX "initial-backoff", required_argument, 0,
     (char *)"seconds that bound the random wait after the first call that failed, 1 to 3600; "
             "it grows to an hour (default: 60)",
     cprof_option_set_number, &backoff_range, 0},
    {(char *)PREFIX "disable-metadata", no_argument, 0,
     (char *)"never ask the metadata server of Google Cloud (default: off)", cprof_option_set_flag,
     &state.options.config.disable_metadata, 0},
    {(char *)PREFIX "disable-upload", no_argument, 0,
     (char *)"send nothing to Cloud Profiler, though a service is named (default: off)",
     cprof_option_set_flag, &disable_upload_flag, 0},
    {(char *)PREFIX "disable-cpu-profiling", no_argument, 0,
     (char *)"take no CPU profiles (default: off)", cprof_option_set_flag,
     &state.options.config.disable_cpu, 0},
    {(char *)PREFIX "disable-wall-profiling", no_argument, 0,
     (char *)"take no wall profiles (default: off)", cprof_option_set_flag,
     &state.options.config.disable_wall, 0},
    {(char *)PREFIX "wall-idle", no_argument, 0,
     (char *)"keep threads that wait for a request in wall profiles, as [idle] (default: off)",
     cprof_option_set_flag, &state.options.config.wall_idle, 0},
    {(char *)PREFIX "period-ms", required_argument, 0,
     (char *)"CPU time between two samples of a thread, and shortest time between two looks at a "
             "sleeping one, 1 to 1000 ms (default: 10)",
     cprof_option_set_number, &period_range, 0},
    {(char *)PREFIX "max-overhead", required_argument, 0,
     (char *)"per cent of a worker's CPU time that profiling may take, 0.05 to 50, or off; what "
             "takes more is sampled more rarely from then on (default: 1)",
     set_max_overhead, NULL, 0},
    {(char *)PREFIX "max-depth", required_argument, 0,
     (char *)"frames kept of a stack, 1 to 1024, the innermost ones (default: 128)",
     cprof_option_set_number, &depth_range, 0},
    {(char *)PREFIX "verbose", required_argument, 0,
     (char *)"what is logged: 0 errors, 1 warnings, 2 info, 3 debug (default: 1)",
     cprof_option_set_number, &verbose_range, 0},
    {(char *)PREFIX "output-dir", required_argument, 0,
     (char *)"write pprof files to this directory, which must exist (default: none are written)",
     cprof_option_set_text, &directory_text, 0},
    {(char *)PREFIX "output-interval", required_argument, 0,
     (char *)"seconds from the start of a file's profile to the start of the next, 1 to 86400 "
             "(default: 60)",
     cprof_option_set_number, &interval_range, 0},
    {(char *)PREFIX "output-duration", required_argument, 0,
     (char *)"seconds that a file's profile covers, 1 to 600 (default: 10)",
     cprof_option_set_number, &duration_range, 0},
    {(char *)PREFIX "output-keep", required_argument, 0,
     (char *)"number of files of each kind kept in output-dir, 0 for all (default: 100)",
     cprof_option_set_number, &keep_range, 0},
    {(char *)PREFIX "slow-request", required_argument, 0,
     (char
          *)"a request that takes longer than this is sampled from then on until it ends, and kept "
            "as a wall profile of its own, 1 to 3600 seconds; needs uWSGI's master (default: none "
            "is)",
     cprof_option_set_number, &slow_range, 0},
    {(char *)PREFIX "tag", required_argument, 0,
     (char *)"tag samples with: worker, thread, state (wall profiles: what the thread waits in), "
             "gil "
             "(whether it held the interpreter's lock); or, of the request that is served: method, "
             "host, mount, or path:N (the path's first N segments, 1 to 16); may be repeated "
             "(default: worker, thread, state and gil)",
     add_tag, NULL, 0},
    {(char *)PREFIX "root-tag", required_argument, 0,
     (char *)"put this tag as the root frame of each stack that has it (\"route: /users/:id\"), "
             "for viewers that show no tags; may be repeated, the first one is the outermost "
             "(default: none)",
     add_root_tag, NULL, 0},
    {(char *)PREFIX "workers", required_argument, 0,
     (char *)"profile these workers alone, as in 1,3; mules and spoolers are profiled as ever "
             "(default: all workers)",
     set_workers, NULL, 0},
    {(char *)PREFIX "worker-frame", no_argument, 0,
     (char *)"put the worker as the root frame of each stack, for viewers that show no tags "
             "(default: off)",
     cprof_option_set_flag, &state.options.config.worker_frame, 0},
    {(char *)PREFIX "native-leaf", required_argument, 0,
     (char *)"show the native function that a sample stood in, or the system call that the thread "
             "slept in, as the innermost frame: true or false (default: true)",
     set_native_leaf, NULL, 0},
    {(char *)PREFIX "log-size", required_argument, 0,
     (char *)"shared memory for one worker's samples, 256k to 1024m, used only as needed "
             "(default: 4m)",
     set_log_size, NULL, 0},
    {(char *)PREFIX "http", required_argument, 0,
     (char *)"the local endpoint: the absolute path of a unix socket, 127.0.0.1:PORT or "
             "[::1]:PORT; port 0 is any that is free (default: none)",
     cprof_option_set_text, &http_text, 0},
    {(char *)PREFIX "http-token", required_argument, 0,
     (char *)"what every request over TCP must say, 16 to 128 of A-Z a-z 0-9 - . _ ~ (default: "
             "made at the start and logged with the URL)",
     cprof_option_set_text, &http_token_text, 0},
    {(char *)PREFIX "http-token-file", required_argument, 0,
     (char *)"the absolute path of the file, of mode 0600, that a token which is made is written "
             "to (default: cloudprofiler-http-token in output-dir)",
     cprof_option_set_text, &http_token_file_text, 0},
    {(char *)PREFIX "http-allow-remote", no_argument, 0,
     (char *)"let the endpoint listen at an address that other machines reach, without TLS "
             "(default: off)",
     cprof_option_set_flag, &state.options.config.http_allow_remote, 0},
    {(char *)PREFIX "gateway-binary", required_argument, 0,
     (char *)"the gateway program (default: cloudprofiler-gateway beside the plugin)",
     cprof_option_set_text, &gateway_text, 0},
    {(char *)PREFIX "check", no_argument, 0,
     (char *)"say what will work on this machine as this uid, and end with status 0 or 1 "
             "(default: off)",
     cprof_option_set_flag, &check_flag, UWSGI_OPT_NO_SERVER | UWSGI_OPT_NO_INITIAL},
    {(char *)PREFIX "disable", no_argument, 0,
     (char *)"load the plugin but do nothing; so does CLOUDPROFILER_DISABLE=1 in the environment "
             "(default: off)",
     cprof_option_set_flag, &disable_flag, 0},
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

uint32_t cprof_options_tags(void)
{
    return state.options.config.tags;
}

bool cprof_options_check_only(void)
{
    return check_flag;
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
        if (cprof_option_accepts(&service_text, value)) {
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
            cprof_option_refuse(PREFIX "gateway-binary", state.plugin_directory, "a shorter path");
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

/* What the gateway will read as this uid. On a reload a file that is gone is the gateway's to
 * complain of: local profiles go on. */
static void check_file(const char *option, char *path, size_t path_bytes)
{
    char *resolved = realpath(path, NULL);
    struct stat status;
    char accepted[128];

    (void)snprintf(accepted, sizeof(accepted), "a file that uid %u can read", (unsigned)geteuid());
    if (!uwsgi.is_a_reload &&
        (!resolved || strlen(resolved) >= path_bytes || stat(resolved, &status) != 0 ||
         !S_ISREG(status.st_mode) || faccessat(AT_FDCWD, resolved, R_OK, AT_EACCESS) != 0)) {
        cprof_option_refuse(option, path, accepted);
    }
    if (resolved && strlen(resolved) < path_bytes) {
        (void)snprintf(path, path_bytes, "%s", resolved);
    }
    free(resolved);
}

static void check_upload(void)
{
    struct cprof_config *config = &state.options.config;

    if (config->credentials[0] != '\0') {
        check_file(PREFIX "credentials", config->credentials, sizeof(config->credentials));
    }
    if (config->ca_file[0] != '\0') {
        check_file(PREFIX "ca-file", config->ca_file, sizeof(config->ca_file));
    }
}

bool cprof_options_want_worker(uint32_t number)
{
    return highest_worker == 0 || (number >= 1 && number <= CPROF_SLOTS_MAX &&
                                   wanted_workers[(number - 1) / 8] & 1u << (number - 1) % 8);
}

/* The page's files lie beside the plugin, if `make web` has put them there. */
static void find_web_directory(void)
{
    struct cprof_config *config = &state.options.config;
    size_t length = strlen(state.plugin_directory);
    struct stat status;

    if (length + sizeof(WEB_DIRECTORY) <= sizeof(config->web_dir)) {
        memcpy(config->web_dir, state.plugin_directory, length);
        memcpy(config->web_dir + length, WEB_DIRECTORY, sizeof(WEB_DIRECTORY));
    }
    if (stat(config->web_dir, &status) != 0 || !S_ISDIR(status.st_mode)) {
        config->web_dir[0] = '\0';
    }
}

static void check_http(void)
{
    const struct cprof_config *config = &state.options.config;
    const struct cprof_text_option loopback = {.text_bytes = sizeof(config->http_address),
                                               .pattern = LOOPBACK_PATTERN};

    if (!config->http_allow_remote && !cprof_option_accepts(&loopback, config->http_address)) {
        cprof_option_refuse(PREFIX "http", config->http_address,
                            HTTP_ACCEPTED "; other addresses need " PREFIX "http-allow-remote");
    }
    find_web_directory();
}

const struct cprof_options *cprof_options_finish(void)
{
    struct cprof_config *config = &state.options.config;
    char duration[16], accepted[128];

    if (!state.tags_given) {
        config->tags = CPROF_TAG_WORKER | CPROF_TAG_THREAD | CPROF_TAG_STATE | CPROF_TAG_GIL;
    }
    take_environment();
    if (state.options.disabled) {
        return &state.options;
    }
    if (config->disable_cpu && config->disable_wall) {
        cprof_option_refuse(PREFIX "disable-wall-profiling", "true",
                            "this option or " PREFIX "disable-cpu-profiling, not both; " PREFIX
                            "disable takes no profiles at all");
    }
    if (config->output_duration_s > config->output_interval_s) {
        (void)snprintf(duration, sizeof(duration), "%u", config->output_duration_s);
        (void)snprintf(accepted, sizeof(accepted),
                       "at most the " PREFIX "output-interval, which is %u seconds",
                       config->output_interval_s);
        cprof_option_refuse(PREFIX "output-duration", duration, accepted);
    }
    check_workers();
    config->upload = config->service[0] != '\0' && !disable_upload_flag;
    if (config->output_dir[0] != '\0') {
        check_output_dir();
    }
    if (config->upload) {
        check_upload();
    }
    if (config->http_address[0] != '\0') {
        check_http();
    }
    if (config->output_dir[0] != '\0' || config->upload || config->http_address[0] != '\0') {
        check_gateway_binary();
    }
    return &state.options;
}
