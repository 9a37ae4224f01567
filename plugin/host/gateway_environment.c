/* gateway_environment.c - see gateway_environment.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway_environment.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything else is left out, above all what makes the loader, the C library, OpenSSL or libcurl
 * load code, write down secrets or read configuration of the app's: LD_*, GLIBC_TUNABLES, MALLOC_*,
 * GCONV_PATH, OPENSSL_*, SSLKEYLOGFILE, CURL_HOME. */
static const char *const names[] = {
    /* The plugin's own. */
    "CLOUDPROFILER_DISABLE",
    /* What names the service and its version: option_checks.c. */
    "GAE_SERVICE",
    "GAE_VERSION",
    "K_SERVICE",
    "K_REVISION",
    /* Which project, which credentials: gateway/cloud/deployment.c, gateway/credentials. */
    "GOOGLE_CLOUD_PROJECT",
    "GCLOUD_PROJECT",
    "GOOGLE_CLOUD_QUOTA_PROJECT",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "CLOUDSDK_CONFIG",
    "HOME",
    "GCE_METADATA_HOST",
    "GCE_METADATA_IP",
    "NO_GCE_CHECK",
    /* The way out: libcurl's manual page libcurl-env. It reads no HTTP_PROXY. */
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    /* The authorities, where libcurl has no place of its own for them:
       SSL_CTX_load_verify_locations(3). */
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    /* How names are resolved: resolv.conf(5). */
    "LOCALDOMAIN",
    "RES_OPTIONS",
};

#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

/* What stood there at the first start, and what the app left; see describe(). */
#define START_PREFIX   "CLOUDPROFILER_START_"
#define LEFT_PREFIX    "CLOUDPROFILER_LEFT_"
#define VARIABLE_BYTES 64

static struct {
    bool noted;
    char *lines[NAME_COUNT];           /* "NAME=value"; NULL: not set */
    char *environment[NAME_COUNT + 1]; /* those that are set */
} taken;

static const char *value_of(size_t place)
{
    return taken.lines[place] ? taken.lines[place] + strlen(names[place]) + 1 : NULL;
}

/* "" if the variable is not set, else "=" and its value. */
static bool is_described(const char *description, const char *value)
{
    return value ? description[0] == '=' && strcmp(description + 1, value) == 0
                 : description[0] == '\0';
}

static const char *take_variable(const char *prefix, const char *name, char *variable)
{
    (void)snprintf(variable, VARIABLE_BYTES, "%s%s", prefix, name);
    return getenv(variable);
}

/* The value of before the app: in a life after a reload the one of the first life, unless the
 * configuration has set another since. */
static void take(size_t place)
{
    char start_variable[VARIABLE_BYTES], left_variable[VARIABLE_BYTES];
    const char *name = names[place], *value = getenv(name);
    const char *start = take_variable(START_PREFIX, name, start_variable);
    const char *left = take_variable(LEFT_PREFIX, name, left_variable);

    if (start && left && is_described(left, value)) {
        value = start[0] == '=' ? start + 1 : NULL;
    }
    if (value && asprintf(&taken.lines[place], "%s=%s", name, value) < 0) {
        taken.lines[place] = NULL;
    }
    (void)unsetenv(start_variable);
    (void)unsetenv(left_variable);
}

void cprof_gateway_environment_note(void)
{
    size_t count = 0;

    if (taken.noted) {
        return;
    }
    taken.noted = true;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        take(i);
        if (taken.lines[i]) {
            taken.environment[count++] = taken.lines[i];
        }
    }
}

const char *cprof_gateway_environment_value(const char *name)
{
    cprof_gateway_environment_note();
    for (size_t i = 0; i < NAME_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            return value_of(i);
        }
    }
    return NULL;
}

char *const *cprof_gateway_environment(void)
{
    cprof_gateway_environment_note();
    return taken.environment;
}

static void describe(const char *prefix, const char *name, const char *value)
{
    char variable[VARIABLE_BYTES], *description = NULL;

    (void)snprintf(variable, sizeof(variable), "%s%s", prefix, name);
    if (asprintf(&description, "%s%s", value ? "=" : "", value ? value : "") >= 0) {
        (void)setenv(variable, description, 1);
        free(description);
    }
}

void cprof_gateway_environment_hand_over(void)
{
    cprof_gateway_environment_note();
    for (size_t i = 0; i < NAME_COUNT; i++) {
        const char *start = value_of(i), *left = getenv(names[i]);

        if (start != left && (!start || !left || strcmp(start, left) != 0)) {
            describe(START_PREFIX, names[i], start);
            describe(LEFT_PREFIX, names[i], left);
        }
    }
}
