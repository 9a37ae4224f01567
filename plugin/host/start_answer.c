/* start_answer.c - see start_answer.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "start_answer.h"

#include <stdatomic.h>
#include <unistd.h>

#include "../../shared/base/config.h"
#include "../../shared/base/log.h"
#include "once.h"
#include "option_checks.h"
#include "option_values.h"
#include "options.h"

#define PREFIX "cloudprofiler-"

#define LIST_BYTES  600
#define SHOWN_BYTES 80 /* of a value, in a list */

#define SEAL_TRIES    1000
#define SEAL_PAUSE_US 1000

/* Google's own addresses of discovery documents: the default endpoint. */
#define DISCOVERY_OLD      "https://www.googleapis.com/discovery/"
#define DISCOVERY_TEMPLATE "https://{api}.googleapis.com/"
#define DISCOVERY_PATH     "/$discovery/rest"

static const struct {
    const char *parameter;
    char option[40];
} names[CPROF_START_PARAMETERS] = {
    [CPROF_START_SERVICE] = {"service", PREFIX "service"},
    [CPROF_START_SERVICE_VERSION] = {"service_version", PREFIX "service-version"},
    [CPROF_START_PROJECT_ID] = {"project_id", PREFIX "project-id"},
    [CPROF_START_CREDENTIALS] = {"service_account_json_file", PREFIX "credentials"},
    [CPROF_START_VERBOSE] = {"verbose", PREFIX "verbose"},
    [CPROF_START_DISABLE_CPU] = {"disable_cpu_profiling", PREFIX "disable-cpu-profiling"},
    [CPROF_START_DISABLE_WALL] = {"disable_wall_profiling", PREFIX "disable-wall-profiling"},
    [CPROF_START_PERIOD_MS] = {"period_ms", PREFIX "period-ms"},
    [CPROF_START_DISCOVERY_URL] = {"discovery_service_url", PREFIX "api-endpoint"},
};

/* What a call asks of the options, each value as the option takes it. */
struct demand {
    const char *values[CPROF_START_PARAMETERS]; /* NULL: nothing */
    const char *place;
    char path[CPROF_PATH_BYTES];
    char endpoint[CPROF_ENDPOINT_BYTES];
    bool has_unused_url;
};

enum phase {
    OPEN,
    TAKING, /* one thread is at it, without a wait and without Python */
    TAKEN,
    SEALED,
};

static _Atomic enum phase phase = OPEN;
static char taken[LIST_BYTES + CPROF_START_PLACE_BYTES];
static bool gave_credentials;

/* The environment's, where the option is not set yet. */
static const char *default_of(enum cprof_start_parameter parameter)
{
    const char *value = NULL;

    if (parameter == CPROF_START_SERVICE) {
        value = cprof_option_environment_service(cprof_options_find(names[parameter].option)->data);
    } else if (parameter == CPROF_START_SERVICE_VERSION) {
        value = cprof_option_environment_version();
    }
    return value ? value : "";
}

/* What holds if no call changes it. */
static void show_current(enum cprof_start_parameter parameter, char *text, size_t text_bytes)
{
    const struct uwsgi_option *option = cprof_options_find(names[parameter].option);

    cprof_option_show(option->func, option->data, text, text_bytes);
    if (text[0] == '\0') {
        (void)snprintf(text, text_bytes, "%s", default_of(parameter));
    }
    if (parameter == CPROF_START_CREDENTIALS && text[0] != '\0') {
        (void)cprof_option_make_absolute(text, text_bytes);
    }
}

static bool is_current(enum cprof_start_parameter parameter, const char *value)
{
    char current[CPROF_PATH_BYTES];

    show_current(parameter, current, sizeof(current));
    return strcmp(current, value) == 0;
}

static const char *shown(enum cprof_start_parameter parameter, const char *value)
{
    return value[0] == '\0' ? "none" : parameter == CPROF_START_CREDENTIALS ? "[...]" : value;
}

/* Without it a value that is too long to show would pass for the whole one. */
static const char *mark_of_cut(const char *text)
{
    return strlen(text) > SHOWN_BYTES ? "..." : "";
}

/* Appends "option = value"; what finds no room is left out. */
static void append(char list[LIST_BYTES], enum cprof_start_parameter parameter, const char *value)
{
    size_t used = strlen(list);

    value = shown(parameter, value);
    (void)snprintf(list + used, LIST_BYTES - used, "%s%s = %.*s%s", used > 0 ? ", " : "",
                   names[parameter].option, SHOWN_BYTES, value, mark_of_cut(value));
}

/* The same, and what stands there instead. */
static void append_difference(char list[LIST_BYTES], enum cprof_start_parameter parameter,
                              const char *value)
{
    char current[CPROF_PATH_BYTES];
    const char *held;
    size_t used;

    append(list, parameter, value);
    show_current(parameter, current, sizeof(current));
    held = shown(parameter, current);
    used = strlen(list);
    (void)snprintf(list + used, LIST_BYTES - used, " (now: %.*s%s)", SHOWN_BYTES, held,
                   mark_of_cut(held));
}

/* No value is shown: what was meant for the file may stand in the call. */
static bool read_credentials(struct demand *demand, struct cprof_error *error)
{
    const char *path = demand->values[CPROF_START_CREDENTIALS];

    if (!path) {
        return true;
    }
    if (strlen(path) < sizeof(demand->path)) {
        (void)snprintf(demand->path, sizeof(demand->path), "%s", path);
        demand->values[CPROF_START_CREDENTIALS] = demand->path;
        if (cprof_option_make_absolute(demand->path, sizeof(demand->path)) &&
            cprof_option_is_readable_file(demand->path)) {
            return true;
        }
    }
    return cprof_fail(error,
                      "service_account_json_file: the value is not accepted; give the path "
                      "of a file that uid %u can read",
                      (unsigned)geteuid());
}

/* No discovery document is fetched: what counts is the host that has it, if it is the API's. */
static void read_discovery_url(struct demand *demand)
{
    const char *url = demand->values[CPROF_START_DISCOVERY_URL];
    const char *path = url ? strstr(url, DISCOVERY_PATH) : NULL;
    const struct uwsgi_option *option = cprof_options_find(names[CPROF_START_DISCOVERY_URL].option);

    demand->values[CPROF_START_DISCOVERY_URL] = NULL;
    if (!url || strncmp(url, DISCOVERY_OLD, sizeof(DISCOVERY_OLD) - 1) == 0 ||
        strncmp(url, DISCOVERY_TEMPLATE, sizeof(DISCOVERY_TEMPLATE) - 1) == 0) {
        return;
    }
    if (path && (size_t)(path - url) < sizeof(demand->endpoint)) {
        memcpy(demand->endpoint, url, (size_t)(path - url));
        demand->endpoint[path - url] = '\0';
    }
    demand->has_unused_url = !cprof_option_accepts(option->data, demand->endpoint);
    if (!demand->has_unused_url) {
        demand->values[CPROF_START_DISCOVERY_URL] = demand->endpoint;
    }
}

static bool accepts_values(const struct demand *demand, struct cprof_error *error)
{
    for (int i = 0; i < CPROF_START_PARAMETERS; i++) {
        const struct uwsgi_option *option = cprof_options_find(names[i].option);

        if (demand->values[i] &&
            !cprof_option_would_take(option->func, option->data, names[i].parameter,
                                     demand->values[i], error)) {
            return false;
        }
    }
    return true;
}

static bool disables(const struct demand *demand, enum cprof_start_parameter parameter)
{
    const char *value = demand->values[parameter];

    if (cprof_options_is_given(names[parameter].option)) {
        return is_current(parameter, "true");
    }
    return value && strcmp(value, "true") == 0;
}

/* What depends on more than one value. */
static bool fits_together(const struct demand *demand, struct cprof_error *error)
{
    if (disables(demand, CPROF_START_DISABLE_CPU) && disables(demand, CPROF_START_DISABLE_WALL)) {
        return cprof_fail(error,
                          "CPU and wall profiles are both disabled: leave one kind on. The options "
                          "cloudprofiler-disable-cpu-profiling and cloudprofiler-disable-wall-"
                          "profiling count, too");
    }
    if (!demand->values[CPROF_START_SERVICE] && is_current(CPROF_START_SERVICE, "")) {
        return cprof_fail(error, "service: none is given; give it in the call, as cloudprofiler-"
                                 "service, or as GAE_SERVICE or K_SERVICE in the environment");
    }
    return true;
}

static bool understand(struct demand *demand, const struct cprof_start_call *call,
                       struct cprof_error *error)
{
    *demand = (struct demand){.place = call->place};
    memcpy(demand->values, call->values, sizeof(demand->values));
    read_discovery_url(demand);
    return read_credentials(demand, error) && accepts_values(demand, error) &&
           fits_together(demand, error);
}

/* Warns of what the configuration has otherwise, each option once for the instance. */
static void report_differences(const struct demand *demand, uint32_t parameters)
{
    bool lacks_service = parameters & UINT32_C(1) << CPROF_START_SERVICE &&
                         is_current(CPROF_START_SERVICE, "") &&
                         !cprof_options_uploads_are_disabled();
    uint32_t first = cprof_once_claim(parameters);
    char list[LIST_BYTES] = "";

    for (int i = 0; i < CPROF_START_PARAMETERS; i++) {
        if (first & UINT32_C(1) << i && lacks_service) {
            append(list, (enum cprof_start_parameter)i, demand->values[i]);
        } else if (first & UINT32_C(1) << i) {
            append_difference(list, (enum cprof_start_parameter)i, demand->values[i]);
        }
    }
    if (first && lacks_service) {
        cprof_log(CPROF_LOG_WARNING,
                  "googlecloudprofiler.start() at %s names a service after the configuration was "
                  "complete: Cloud Profiler gets no profiles. Add to uWSGI's configuration: %s",
                  demand->place, list);
    } else if (first) {
        cprof_log(CPROF_LOG_WARNING,
                  "googlecloudprofiler.start() at %s asks for %s: ignored. Change it in uWSGI's "
                  "configuration",
                  demand->place, list);
    }
}

static void report_unused_url(const struct demand *demand)
{
    if (demand->has_unused_url && cprof_once_claim(CPROF_ONCE_UNUSED_URL)) {
        cprof_log(CPROF_LOG_WARNING,
                  "googlecloudprofiler.start() at %s: discovery_service_url is ignored, as no "
                  "discovery document is read; cloudprofiler-api-endpoint names another endpoint",
                  demand->place);
    }
}

/* Returns the parameters that ask for something else than what now holds, as bits. */
static uint32_t differences(const struct demand *demand)
{
    uint32_t different = 0;

    for (int i = 0; i < CPROF_START_PARAMETERS; i++) {
        if (demand->values[i] && !is_current((enum cprof_start_parameter)i, demand->values[i])) {
            different |= UINT32_C(1) << i;
        }
    }
    return different;
}

static void take(const struct demand *demand)
{
    uint32_t different = differences(demand);
    char list[LIST_BYTES] = "";

    for (int i = 0; i < CPROF_START_PARAMETERS; i++) {
        const struct uwsgi_option *option = cprof_options_find(names[i].option);

        if (different & UINT32_C(1) << i && !cprof_options_is_given(names[i].option)) {
            option->func(option->name, (char *)demand->values[i], option->data);
            append(list, (enum cprof_start_parameter)i, demand->values[i]);
            gave_credentials |= i == CPROF_START_CREDENTIALS;
        }
    }
    if (list[0] != '\0') {
        (void)snprintf(taken, sizeof(taken), "taken from googlecloudprofiler.start() at %s: %s",
                       demand->place, list);
    }
}

static void take_alone(const struct demand *demand)
{
    enum phase expected = OPEN;

    if (atomic_compare_exchange_strong(&phase, &expected, TAKING)) {
        take(demand);
        expected = TAKING;
        (void)atomic_compare_exchange_strong(&phase, &expected, TAKEN);
    }
}

bool cprof_start_answer(const struct cprof_start_call *call, struct cprof_error *error)
{
    struct demand demand;

    if (!understand(&demand, call, error)) {
        return false;
    }
    take_alone(&demand);
    if (!cprof_options_are_disabled()) {
        report_differences(&demand, differences(&demand));
        report_unused_url(&demand);
    }
    return true;
}

void cprof_start_answer_seal(void)
{
    for (int tries = 0; tries < SEAL_TRIES; tries++) {
        enum phase expected = atomic_load(&phase);

        if (expected != TAKING && atomic_compare_exchange_strong(&phase, &expected, SEALED)) {
            return;
        }
        (void)usleep(SEAL_PAUSE_US);
    }
    atomic_store(&phase, SEALED);
}

const char *cprof_start_answer_taken(void)
{
    return taken;
}

bool cprof_start_answer_gave_credentials(void)
{
    return gave_credentials;
}
