/* option_checks.c - see option_checks.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "option_checks.h"

#include <fcntl.h>

#include "../base/log.h"
#include "gateway_environment.h"

extern struct uwsgi_server uwsgi;

#define PREFIX "cloudprofiler-"

#define GATEWAY_PROGRAM "/cloudprofiler-gateway"
#define WEB_DIRECTORY   "/cloudprofiler-web"

#define LOOPBACK_PATTERN "^(/.+|(127\\.0\\.0\\.1|\\[::1\\]):[0-9]{1,5})$"

/* For what the world may have changed since the first start: a directory or a program that is
 * gone must not take a server down that reloads. It serves on without the profiler then. */
static void refuse_path(struct cprof_options *options, const char *option, const char *path,
                        const char *accepted)
{
    if (!uwsgi.is_a_reload) {
        cprof_option_refuse(option, path, accepted);
    }
    cprof_log(CPROF_LOG_ERROR, "%s: \"%s\" cannot be used any more, it should be %s: not profiling",
              option, path, accepted);
    options->unusable = true;
}

/* The first of the two variables that is set. */
static const char *environment_value(const char *first, const char *second, const char **name)
{
    *name = first;
    if (cprof_gateway_environment_value(first)) {
        return cprof_gateway_environment_value(first);
    }
    *name = second;
    return cprof_gateway_environment_value(second);
}

static void take_environment(struct cprof_options *options, const struct cprof_given_options *given)
{
    struct cprof_config *config = &options->config;
    const char *disable = cprof_gateway_environment_value("CLOUDPROFILER_DISABLE");
    const char *name, *value;

    options->disabled = given->disable || (disable && strcmp(disable, "1") == 0);
    if (disable && disable[0] != '\0' && strcmp(disable, "1") != 0 && strcmp(disable, "0") != 0) {
        cprof_log(
            CPROF_LOG_WARNING,
            "CLOUDPROFILER_DISABLE of the environment is \"%.40s\", which is neither 1 nor 0: "
            "ignored",
            disable);
    }
    value = environment_value("GAE_SERVICE", "K_SERVICE", &name);
    if (config->service[0] == '\0' && value) {
        if (cprof_option_accepts(given->service, value)) {
            (void)snprintf(config->service, sizeof(config->service), "%s", value);
        } else {
            cprof_log(CPROF_LOG_WARNING, "%s of the environment is no service name (%s): ignored",
                      name, given->service->accepted);
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
static bool make_absolute(struct cprof_options *options, const char *option, char *path,
                          size_t path_bytes, const char *accepted)
{
    char *resolved = realpath(path, NULL);
    bool fits = resolved && strlen(resolved) < path_bytes;

    if (fits) {
        (void)snprintf(path, path_bytes, "%s", resolved);
    } else {
        refuse_path(options, option, path, resolved ? "a shorter path" : accepted);
    }
    free(resolved);
    return fits;
}

static void check_gateway_binary(struct cprof_options *options, const char *plugin_directory)
{
    static const char accepted[] = "a program that the server's uid can execute";
    char *binary = options->gateway_binary;
    size_t length = strlen(plugin_directory);
    struct stat status;

    if (binary[0] == '\0') {
        if (length + sizeof(GATEWAY_PROGRAM) > sizeof(options->gateway_binary)) {
            cprof_option_refuse(PREFIX "gateway-binary", plugin_directory, "a shorter path");
        }
        memcpy(binary, plugin_directory, length);
        memcpy(binary + length, GATEWAY_PROGRAM, sizeof(GATEWAY_PROGRAM));
    }
    if (!make_absolute(options, PREFIX "gateway-binary", binary, sizeof(options->gateway_binary),
                       accepted)) {
        return;
    }
    if (stat(binary, &status) != 0 || !S_ISREG(status.st_mode) ||
        faccessat(AT_FDCWD, binary, X_OK, AT_EACCESS) != 0) {
        refuse_path(options, PREFIX "gateway-binary", binary, accepted);
    }
}

/* As the uid that will write there. */
static void check_output_dir(struct cprof_options *options)
{
    static const char accepted[] = "a directory that exists";
    char *directory = options->config.output_dir;
    struct stat status;
    char writable[128];

    if (!make_absolute(options, PREFIX "output-dir", directory, sizeof(options->config.output_dir),
                       accepted)) {
        return;
    }
    if (stat(directory, &status) != 0 || !S_ISDIR(status.st_mode)) {
        refuse_path(options, PREFIX "output-dir", directory, accepted);
    } else if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) != 0) {
        (void)snprintf(writable, sizeof(writable), "a directory that uid %u can write to",
                       (unsigned)geteuid());
        refuse_path(options, PREFIX "output-dir", directory, writable);
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

static void check_upload(struct cprof_config *config)
{
    if (config->credentials[0] != '\0') {
        check_file(PREFIX "credentials", config->credentials, sizeof(config->credentials));
    }
    if (config->ca_file[0] != '\0') {
        check_file(PREFIX "ca-file", config->ca_file, sizeof(config->ca_file));
    }
}

/* The page's files lie beside the plugin, if `make web` has put them there. */
static void find_web_directory(struct cprof_config *config, const char *plugin_directory)
{
    size_t length = strlen(plugin_directory);
    struct stat status;

    if (length + sizeof(WEB_DIRECTORY) <= sizeof(config->web_dir)) {
        memcpy(config->web_dir, plugin_directory, length);
        memcpy(config->web_dir + length, WEB_DIRECTORY, sizeof(WEB_DIRECTORY));
    }
    if (stat(config->web_dir, &status) != 0 || !S_ISDIR(status.st_mode)) {
        config->web_dir[0] = '\0';
    }
}

static void check_http(struct cprof_config *config, const char *plugin_directory)
{
    const struct cprof_text_option loopback = {.text_bytes = sizeof(config->http_address),
                                               .pattern = LOOPBACK_PATTERN};

    if (!config->http_allow_remote && !cprof_option_accepts(&loopback, config->http_address)) {
        cprof_option_refuse(PREFIX "http", config->http_address,
                            CPROF_HTTP_ACCEPTED "; other addresses need " PREFIX
                                                "http-allow-remote");
    }
    find_web_directory(config, plugin_directory);
}

static void check_workers(uint32_t highest_worker)
{
    char number[16], accepted[64];

    if (uwsgi.numproc > 0 && highest_worker > (uint32_t)uwsgi.numproc) {
        (void)snprintf(number, sizeof(number), "%u", highest_worker);
        (void)snprintf(accepted, sizeof(accepted), "workers from 1 to %d", uwsgi.numproc);
        cprof_option_refuse(PREFIX "workers", number, accepted);
    }
}

static void check_kinds(const struct cprof_config *config)
{
    if (config->disable_cpu && config->disable_wall) {
        cprof_option_refuse(PREFIX "disable-wall-profiling", "true",
                            "this option or " PREFIX "disable-cpu-profiling, not both; " PREFIX
                            "disable takes no profiles at all");
    }
}

static void check_schedule(const struct cprof_config *config)
{
    char duration[16], accepted[128];

    if (config->output_duration_s > config->output_interval_s) {
        (void)snprintf(duration, sizeof(duration), "%u", config->output_duration_s);
        (void)snprintf(accepted, sizeof(accepted),
                       "at most the " PREFIX "output-interval, which is %u seconds",
                       config->output_interval_s);
        cprof_option_refuse(PREFIX "output-duration", duration, accepted);
    }
}

void cprof_option_checks_make(struct cprof_options *options,
                              const struct cprof_given_options *given)
{
    struct cprof_config *config = &options->config;

    take_environment(options, given);
    if (options->disabled) {
        return;
    }
    check_kinds(config);
    check_schedule(config);
    check_workers(given->highest_worker);
    config->upload = config->service[0] != '\0' && !given->disable_upload;
    if (config->output_dir[0] != '\0') {
        check_output_dir(options);
    }
    if (config->upload) {
        check_upload(config);
    }
    if (config->http_address[0] != '\0') {
        check_http(config, given->plugin_directory);
    }
    if (cprof_config_wants_profiles(config)) {
        check_gateway_binary(options, given->plugin_directory);
    }
}
