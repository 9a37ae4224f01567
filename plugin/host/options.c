/* options.c - see options.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "options.h"

#include <fcntl.h>

#include "../../shared/base/log.h"
#include "../../shared/segment/layout.h"
#include "check_only.h"
#include "option_checks.h"
#include "option_values.h"
#include "server_key.h"
#include "start_answer.h"

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

#define HTTP_PATTERN "^(/.+|([0-9.]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5})$"

/* As it stands in a URL, so that it needs no quoting there. */
#define TOKEN_PATTERN  "^[-A-Za-z0-9._~]{16,128}$"
#define TOKEN_ACCEPTED "16 to 128 of A-Z a-z 0-9 - . _ ~"

#define PATH_TAG "path:"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)

static struct {
    struct cprof_options options;
    bool tags_given;
    char plugin_directory[CPROF_PATH_BYTES], plugin_file_directory[CPROF_PATH_BYTES];
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
            .gateway_memory_mib = 64,
            .max_samples = 1000,
            .verbose = CPROF_LOG_WARNING,
            .initial_backoff_s = 60,
            .api_endpoint = ENDPOINT_DEFAULT,
            .log_bytes = 4 * MIB,
        },
};

static struct cprof_number_option interval_range = {&state.options.config.output_interval_s, 1,
                                                    CPROF_INTERVAL_S_MAX, "seconds"};
static struct cprof_number_option duration_range = {&state.options.config.output_duration_s, 1,
                                                    CPROF_PROFILE_SECONDS_MAX, "seconds"};
static struct cprof_number_option keep_range = {&state.options.config.output_keep, 0,
                                                CPROF_KEEP_MAX, "files (0: all)"};
static struct cprof_number_option period_range = {&state.options.config.period_ms, 1,
                                                  CPROF_PERIOD_MS_MAX, "milliseconds"};
static struct cprof_number_option depth_range = {&state.options.config.max_depth, 1,
                                                 CPROF_DEPTH_MAX, "frames"};
static struct cprof_number_option slow_range = {&state.options.config.slow_request_s, 1,
                                                CPROF_SLOW_REQUEST_S_MAX, "seconds"};
static struct cprof_number_option memory_range = {
    &state.options.config.gateway_memory_mib, CPROF_GATEWAY_MIB_MIN, CPROF_GATEWAY_MIB_MAX, "MiB"};
static struct cprof_number_option backoff_range = {&state.options.config.initial_backoff_s, 1,
                                                   CPROF_BACKOFF_S_MAX, "seconds"};
static struct cprof_number_option verbose_range = {
    &state.options.config.verbose, 0, CPROF_LOG_DEBUG, "(0 error, 1 warning, 2 info, 3 debug)"};

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
                                             .pattern = HTTP_PATTERN,
                                             .accepted = CPROF_HTTP_ACCEPTED};
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
    if (config->root_tag_count == CPROF_ROOT_TAGS_MAX - 1) {
        cprof_option_refuse(option, value, "at most 8 of them");
    }
    (void)snprintf(config->root_tags[config->root_tag_count++], CPROF_ROOT_TAG_KEY_BYTES, "%s",
                   value);
}

static void add_slow_exception(char *option, char *value, void *data)
{
    struct cprof_slow_exceptions *exceptions = &state.options.slow_exceptions;

    (void)data;
    if (exceptions->count == CPROF_SLOW_EXCEPTIONS_MAX) {
        cprof_option_refuse(option, value, "at most 32 of them");
    }
    if (!cprof_slow_exceptions_add(exceptions, value)) {
        cprof_option_refuse(option, value,
                            "the beginning of a path as the log shows it: a slash and 1 to 199 "
                            "other characters, without spaces and ?");
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
    if (!cprof_option_parse_number(digits, 1, CPROF_OVERHEAD_MAX, &number) || point == value ||
        number * scale < CPROF_OVERHEAD_MIN || number * scale > CPROF_OVERHEAD_MAX) {
        cprof_option_refuse(option, value, accepted);
    }
    state.options.config.max_overhead_hundredths = (uint32_t)(number * scale);
}

static void set_max_samples(char *option, char *value, void *data)
{
    uint64_t number = 0;

    (void)data;
    if ((!value || strcmp(value, "off") != 0) &&
        !cprof_option_parse_number(value, CPROF_MAX_SAMPLES_MIN, CPROF_MAX_SAMPLES_MAX, &number)) {
        cprof_option_refuse(option, value, "samples a second from 10 to 1000000, or off: no bound");
    }
    state.options.config.max_samples = (uint32_t)number;
}

static uint32_t disable_flag, disable_upload_flag, worker_frame_flag;
static uint32_t google_start_flag = 1;

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
     (char *)"label of the profiles and part of the names of local files, at most 255 bytes "
             "(default: the metadata server's, else the host name)",
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
    {(char *)PREFIX "max-samples", required_argument, 0,
     (char *)"CPU samples a second of all processes together, 10 to 1000000, or off; where there "
             "are more the period is longer from then on, in all of them (default: 1000)",
     set_max_samples, NULL, 0},
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
     (char *)"number of this server's files of each kind kept in output-dir, 0 for all "
             "(default: 100)",
     cprof_option_set_number, &keep_range, 0},
    {(char *)PREFIX "slow-request", required_argument, 0,
     (char
          *)"a request that takes longer than this is sampled from then on until it ends, and kept "
            "as a wall profile of its own, 1 to 3600 seconds; needs uWSGI's master (default: none "
            "is)",
     cprof_option_set_number, &slow_range, 0},
    {(char *)PREFIX "slow-request-except", required_argument, 0,
     (char *)"never follow requests whose path begins with this, as /poll/ or /socket.io/; "
             "websockets and event streams (Accept: text/event-stream) are never followed; "
             "may be repeated, up to 32 (default: none)",
     add_slow_exception, NULL, 0},
    {(char *)PREFIX "tag", required_argument, 0,
     (char *)"tag samples with: worker, thread, state (wall profiles: what the thread waits in), "
             "gil "
             "(whether it held the interpreter's lock); or, of the request that is served: method, "
             "host, mount, or path:N (the path's first N segments, 1 to 16); may be repeated "
             "(default: worker, thread, state and gil)",
     add_tag, NULL, 0},
    {(char *)PREFIX "root-tag", required_argument, 0,
     (char *)"put this tag as the root frame of each stack that has it (\"route: /users/:id\"), "
             "for viewers that show no tags; worker needs no tag (\"worker 1\"); may be repeated, "
             "the first one is the outermost (default: none)",
     add_root_tag, NULL, 0},
    {(char *)PREFIX "workers", required_argument, 0,
     (char *)"profile these workers alone, as in 1,3; mules and spoolers are profiled as ever "
             "(default: all workers)",
     set_workers, NULL, 0},
    {(char *)PREFIX "worker-frame", no_argument, 0,
     (char *)"put the worker as the root frame of each stack (\"worker 1\"), as root-tag = worker "
             "before all others does (default: off)",
     cprof_option_set_flag, &worker_frame_flag, 0},
    {(char *)PREFIX "native-leaf", required_argument, 0,
     (char *)"show the native function that a sample stood in, or the system call that the thread "
             "slept in, as the innermost frame: true or false (default: true)",
     cprof_option_set_flag, &state.options.config.native_leaf, 0},
    {(char *)PREFIX "log-size", required_argument, 0,
     (char *)"shared memory for one worker's samples, 256k to 1024m, used only as needed "
             "(default: 4m)",
     set_log_size, NULL, 0},
    {(char *)PREFIX "gateway-memory", required_argument, 0,
     (char *)"MiB of memory for the gateway to make profiles with, 64 to 4096; stacks that find no "
             "room in a profile are shown as [other] (default: 64)",
     cprof_option_set_number, &memory_range, 0},
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
             "to (default: cloudprofiler-http-token-SERVICE-INSTANCE-ID in output-dir)",
     cprof_option_set_text, &http_token_file_text, 0},
    {(char *)PREFIX "http-allow-remote", no_argument, 0,
     (char *)"let the endpoint listen at an address that other machines reach, without TLS "
             "(default: off)",
     cprof_option_set_flag, &state.options.config.http_allow_remote, 0},
    {(char *)PREFIX "gateway-binary", required_argument, 0,
     (char *)"the gateway program (default: cloudprofiler-gateway beside the plugin)",
     cprof_option_set_text, &gateway_text, 0},
    {(char *)PREFIX "google-start", required_argument, 0,
     (char *)"answer apps that import googlecloudprofiler and call its start(), instead of "
             "Google's own agent: true or false (default: true)",
     cprof_option_set_flag, &google_start_flag, 0},
    {(char *)PREFIX "check", no_argument, 0,
     (char *)"say what will work on this machine as the server's uid, and end with status 0 or 1 "
             "before anything of the server is touched (default: off)",
     cprof_check_only_set, NULL, UWSGI_OPT_IMMEDIATE},
    {(char *)PREFIX "disable", no_argument, 0,
     (char *)"load the plugin but do nothing; so does CLOUDPROFILER_DISABLE=1 in the environment "
             "(default: off)",
     cprof_option_set_flag, &disable_flag, 0},
    UWSGI_END_OF_OPTIONS};
/* NOLINTEND(readability-redundant-casting) */

static void cut_to_directory(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash) {
        *slash = '\0';
    }
}

void cprof_options_note_plugin_path(const char *plugin_path)
{
    char *resolved = realpath(plugin_path, NULL);

    (void)snprintf(state.plugin_directory, sizeof(state.plugin_directory), "%s", plugin_path);
    if (!cprof_option_make_absolute(state.plugin_directory, sizeof(state.plugin_directory))) {
        state.plugin_directory[0] = '\0';
    }
    cut_to_directory(state.plugin_directory);
    (void)snprintf(state.plugin_file_directory, sizeof(state.plugin_file_directory), "%s",
                   resolved ? resolved : "");
    cut_to_directory(state.plugin_file_directory);
    free(resolved);
}

unsigned cprof_options_verbose(void)
{
    return state.options.config.verbose;
}

bool cprof_options_are_disabled(void)
{
    return disable_flag || cprof_option_environment_disables();
}

bool cprof_options_uploads_are_disabled(void)
{
    return disable_upload_flag;
}

bool cprof_options_google_start(void)
{
    return google_start_flag;
}

const struct uwsgi_option *cprof_options_find(const char *name)
{
    const struct uwsgi_option *option = cprof_option_table;

    while (strcmp(option->name, name) != 0) {
        option++;
    }
    return option;
}

bool cprof_options_is_given(const char *name)
{
    for (int i = 0; i < uwsgi.exported_opts_cnt; i++) {
        if (strcmp(uwsgi.exported_opts[i]->key, name) == 0) {
            return true;
        }
    }
    return false;
}

uint32_t cprof_options_tags(void)
{
    return state.options.config.tags;
}

bool cprof_options_want_worker(uint32_t number)
{
    return highest_worker == 0 || (number >= 1 && number <= CPROF_SLOTS_MAX &&
                                   wanted_workers[(number - 1) / 8] & 1u << (number - 1) % 8);
}

/* cloudprofiler-worker-frame is the root tag `worker`, outside of all others. */
static void add_worker_frame(struct cprof_config *config)
{
    uint32_t place = 0;

    while (place < config->root_tag_count && strcmp(config->root_tags[place], "worker") != 0) {
        place++;
    }
    config->root_tag_count += place == config->root_tag_count;
    memmove(config->root_tags[1], config->root_tags[0], place * sizeof(config->root_tags[0]));
    (void)snprintf(config->root_tags[0], CPROF_ROOT_TAG_KEY_BYTES, "worker");
}

const struct cprof_options *cprof_options_finish(void)
{
    struct cprof_config *config = &state.options.config;
    const struct cprof_given_options given = {
        .disable = disable_flag,
        .disable_upload = disable_upload_flag,
        .credentials_are_checked = cprof_start_answer_gave_credentials(),
        .highest_worker = highest_worker,
        .plugin_directory = state.plugin_directory,
        .plugin_file_directory = state.plugin_file_directory,
        .service = &service_text,
    };

    if (!state.tags_given) {
        config->tags = CPROF_TAG_WORKER | CPROF_TAG_THREAD | CPROF_TAG_STATE | CPROF_TAG_GIL;
    }
    if (worker_frame_flag) {
        add_worker_frame(config);
    }
    config->set_period_ms = config->period_ms;
    config->server_key = cprof_server_key();
    cprof_option_checks_make(&state.options, &given);
    return &state.options;
}
