/* option_checks.c - see option_checks.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "option_checks.h"

#include <fcntl.h>

#include "../../shared/base/log.h"
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

const char *cprof_option_environment_service(const struct cprof_text_option *service)
{
    const char *name, *value = environment_value("GAE_SERVICE", "K_SERVICE", &name);

    return value && cprof_option_accepts(service, value) ? value : NULL;
}

const char *cprof_option_environment_version(void)
{
    const char *name;

    return environment_value("GAE_VERSION", "K_REVISION", &name);
}

bool cprof_option_environment_disables(void)
{
    const char *value = cprof_gateway_environment_value("CLOUDPROFILER_DISABLE");
    bool disabled = false;

    return value && cprof_option_parse_flag(value, &disabled) && disabled;
}

static void take_environment(struct cprof_options *options, const struct cprof_given_options *given)
{
    struct cprof_config *config = &options->config;
    const char *disable = cprof_gateway_environment_value("CLOUDPROFILER_DISABLE");
    const char *name, *value;
    bool disabled = false;

    if (disable && disable[0] != '\0' && !cprof_option_parse_flag(disable, &disabled)) {
        cprof_log(CPROF_LOG_WARNING,
                  "CLOUDPROFILER_DISABLE of the environment is \"%.40s\" and not one "
                  "of " CPROF_FLAG_ACCEPTED ": ignored",
                  disable);
    }
    options->disabled = given->disable || disabled;
    value = environment_value("GAE_SERVICE", "K_SERVICE", &name);
    if (config->service[0] == '\0' && value) {
        if (cprof_option_accepts(given->service, value)) {
            (void)snprintf(config->service, sizeof(config->service), "%s", value);
        } else {
            cprof_log(CPROF_LOG_WARNING, "%s of the environment is no service name (%s): ignored",
                      name, given->service->accepted);
        }
    }
    value = cprof_option_environment_version();
    if (config->service_version[0] == '\0' && value) {
        (void)snprintf(config->service_version, sizeof(config->service_version), "%s", value);
    }
    if (gethostname(config->instance, sizeof(config->instance) - 1) != 0) {
        (void)snprintf(config->instance, sizeof(config->instance), "localhost");
    }
}

/* The name of the working directory that people gave, so that a link in it (current -> releases/1)
 * is followed anew each time: uWSGI's chdir, or the shell's PWD, where they are still right. The
 * caller frees it; NULL: nobody knows. */
static char *working_directory(void)
{
    struct stat named, own;

    if (uwsgi.chdir && uwsgi.chdir[0] == '/' && stat(uwsgi.chdir, &named) == 0 &&
        stat(".", &own) == 0 && named.st_dev == own.st_dev && named.st_ino == own.st_ino) {
        return strdup(uwsgi.chdir);
    }
    return get_current_dir_name();
}

bool cprof_option_make_absolute(char *path, size_t path_bytes)
{
    char *directory, *absolute = NULL;
    bool fits;

    if (path[0] == '/') {
        return true;
    }
    directory = working_directory();
    if (!directory || asprintf(&absolute, "%s/%s", directory, path) < 0) {
        absolute = NULL;
    }
    fits = absolute && strlen(absolute) < path_bytes;
    if (fits) {
        (void)snprintf(path, path_bytes, "%s", absolute);
    }
    free(absolute);
    free(directory);
    return fits;
}

/* Is this an answer about the path? Else the question was refused (a filter that does not know the
 * call says EPERM) or failed for another reason, which may pass: whoever uses the path reports it.
 */
static bool is_about_path(int reason)
{
    return reason == ENOENT || reason == ENOTDIR || reason == EACCES || reason == EROFS ||
           reason == ELOOP || reason == ENAMETOOLONG;
}

/* access(2), which each filter knows, and not the newer call behind AT_EACCESS; it asks for the
 * real uid, and says nothing of a process that has another effective one. */
static bool is_program(const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0) {
        return !is_about_path(errno);
    }
    return S_ISREG(status.st_mode) &&
           (getuid() != geteuid() || access(path, X_OK) == 0 || !is_about_path(errno));
}

/* What lies beside the plugin, by the name that the plugin was loaded by; else, where that is a
 * link alone, beside the file that it leads to. "" if the path is too long. */
static void find_beside(char path[CPROF_PATH_BYTES], const struct cprof_given_options *given,
                        const char *name)
{
    const char *const directories[] = {given->plugin_directory, given->plugin_file_directory};
    struct stat status;

    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        size_t length = strlen(directories[i]);

        path[0] = '\0';
        if (length + strlen(name) < CPROF_PATH_BYTES) {
            memcpy(path, directories[i], length);
            memcpy(path + length, name, strlen(name) + 1);
        }
        if (stat(path, &status) == 0) {
            return;
        }
    }
}

static void check_gateway_binary(struct cprof_options *options,
                                 const struct cprof_given_options *given)
{
    static const char accepted[] = "a program that the server's uid can execute";
    char *binary = options->gateway_binary;

    if (binary[0] == '\0') {
        find_beside(binary, given, GATEWAY_PROGRAM);
    }
    if (!cprof_option_make_absolute(binary, sizeof(options->gateway_binary))) {
        refuse_path(options, PREFIX "gateway-binary", binary, "a shorter path");
    } else if (!is_program(binary)) {
        refuse_path(options, PREFIX "gateway-binary", binary, accepted);
    }
}

/* Does with the directory what the gateway will do, as the uid that will do it: opens it and makes
 * a file there, one without a name where the file system has such, which leaves no trace (not even
 * in the directory's times). 0, or why not, as an errno value. */
static int try_to_write(const char *path)
{
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int file, reason = 0;

    if (directory < 0) {
        return errno;
    }
    file = openat(directory, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
    if (file >= 0) {
        close(file);
        close(directory);
        return 0;
    }
    (void)unlinkat(directory, CPROF_OUTPUT_TRIAL, 0); /* of a start that was cut off here */
    file = openat(directory, CPROF_OUTPUT_TRIAL,
                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) {
        reason = errno;
    } else {
        close(file);
        (void)unlinkat(directory, CPROF_OUTPUT_TRIAL, 0);
    }
    close(directory);
    return reason;
}

static void check_output_dir(struct cprof_options *options)
{
    char *directory = options->config.output_dir;
    char writable[128];
    int reason;

    if (!cprof_option_make_absolute(directory, sizeof(options->config.output_dir))) {
        refuse_path(options, PREFIX "output-dir", directory, "a shorter path");
        return;
    }
    reason = try_to_write(directory);
    if (reason == EACCES || reason == EPERM || reason == EROFS) { /* EPERM: chattr +i */
        (void)snprintf(writable, sizeof(writable), "a directory that uid %u can write to",
                       (unsigned)geteuid());
        refuse_path(options, PREFIX "output-dir", directory, writable);
    } else if (is_about_path(reason)) {
        refuse_path(options, PREFIX "output-dir", directory, "a directory that exists");
    }
}

/* Without O_NONBLOCK a pipe would hold up the start. What is opened is not read: keys are the
 * gateway's. */
bool cprof_option_is_readable_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat status;
    bool good;

    if (fd < 0) {
        return !is_about_path(errno) && errno != ENXIO; /* a socket */
    }
    good = fstat(fd, &status) != 0 || S_ISREG(status.st_mode);
    close(fd);
    return good;
}

/* What the gateway will read as this uid. On a reload a file that is gone is the gateway's to
 * complain of: local profiles go on. */
static void check_file(const char *option, char *path, size_t path_bytes)
{
    char accepted[128];
    bool fits = cprof_option_make_absolute(path, path_bytes);

    (void)snprintf(accepted, sizeof(accepted), "a file that uid %u can read", (unsigned)geteuid());
    if (!uwsgi.is_a_reload && (!fits || !cprof_option_is_readable_file(path))) {
        cprof_option_refuse(option, path, accepted);
    }
}

static void check_upload(struct cprof_config *config, const struct cprof_given_options *given)
{
    if (config->credentials[0] != '\0' && !given->credentials_are_checked) {
        check_file(PREFIX "credentials", config->credentials, sizeof(config->credentials));
    }
    if (config->ca_file[0] != '\0') {
        check_file(PREFIX "ca-file", config->ca_file, sizeof(config->ca_file));
    }
}

/* The page's files lie beside the plugin, if `make web` has put them there. */
static void find_web_directory(struct cprof_config *config, const struct cprof_given_options *given)
{
    struct stat status;

    find_beside(config->web_dir, given, WEB_DIRECTORY);
    if (stat(config->web_dir, &status) != 0 || !S_ISDIR(status.st_mode)) {
        config->web_dir[0] = '\0';
    }
}

static void check_http(struct cprof_config *config, const struct cprof_given_options *given)
{
    const struct cprof_text_option loopback = {.text_bytes = sizeof(config->http_address),
                                               .pattern = LOOPBACK_PATTERN};

    if (!config->http_allow_remote && !cprof_option_accepts(&loopback, config->http_address)) {
        cprof_option_refuse(PREFIX "http", config->http_address,
                            CPROF_HTTP_ACCEPTED "; other addresses need " PREFIX
                                                "http-allow-remote");
    }
    find_web_directory(config, given);
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
        cprof_option_refuse(PREFIX "disable-wall-profiling", "true", CPROF_KINDS_ACCEPTED);
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
        check_upload(config, given);
    }
    if (config->http_address[0] != '\0') {
        check_http(config, given);
    }
    if (cprof_config_wants_profiles(config)) {
        check_gateway_binary(options, given);
    }
}
