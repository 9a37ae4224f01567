/* config.h - the configuration of one instance: plain data, written once by host/options.c.
 *
 * Travel    the master copies it into a memfd of its own, seals that against every change and
 *           hands it to the gateway (host/gateway_process.c). It never stands in the segment that
 *           workers can write, because the gateway takes paths from it. It holds no secret but
 *           http_token, where an option gave one.
 * Format    both ends are built from one tree; magic, version and size guard against a gateway
 *           program of another build. Strings are NUL-terminated inside their arrays.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CONFIG_H
#define CPROF_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#define CPROF_CONFIG_MAGIC   UINT64_C(0x31666e6f63667063) /* "cpfconf1", little-endian */
#define CPROF_CONFIG_VERSION 13

/* What a start tries output-dir with, where files need a name. */
#define CPROF_OUTPUT_TRIAL ".cloudprofiler-check.tmp"

#define CPROF_SERVICE_BYTES         256 /* 255 characters are the API's limit */
#define CPROF_SERVICE_VERSION_BYTES 513
#define CPROF_INSTANCE_BYTES        256
#define CPROF_PROJECT_ID_BYTES      64 /* 63 characters are the API's limit */
#define CPROF_ZONE_BYTES            128
#define CPROF_ENDPOINT_BYTES        512
#define CPROF_PATH_BYTES            4096
#define CPROF_HTTP_ADDRESS_BYTES    108 /* sun_path */
#define CPROF_HTTP_TOKEN_BYTES      129

/* What a window collects, and a profile shows. */
enum cprof_kind {
    CPROF_KIND_CPU = 1u << 0,
    CPROF_KIND_WALL = 1u << 1,
    CPROF_KINDS_ALL = CPROF_KIND_CPU | CPROF_KIND_WALL,
};

/* cloudprofiler-tag, as a set. */
enum cprof_tag_bit {
    CPROF_TAG_WORKER = 1u << 0,
    CPROF_TAG_THREAD = 1u << 1,
    CPROF_TAG_STATE = 1u << 2,
    CPROF_TAG_GIL = 1u << 3,
    /* Of the request; uWSGI's own knowledge of it. */
    CPROF_TAG_METHOD = 1u << 4,
    CPROF_TAG_HOST = 1u << 5,
    CPROF_TAG_MOUNT = 1u << 6,
    CPROF_TAG_PATH = 1u << 7,
};

#define CPROF_TAGS_ALL          0xffu
#define CPROF_PATH_SEGMENTS_MAX 16u /* of cloudprofiler-tag = path:N */

/* The bounds of what options and operators may say: 1 to this much where nothing else stands. */
#define CPROF_INTERVAL_S_MAX      86400u
#define CPROF_PROFILE_SECONDS_MAX 600u
#define CPROF_KEEP_MAX            1000000u /* 0: all files */
#define CPROF_PERIOD_MS_MAX       1000u
#define CPROF_SLOW_REQUEST_S_MAX  3600u
#define CPROF_BACKOFF_S_MAX       3600u
#define CPROF_OVERHEAD_MAX        5000u /* hundredths of a per cent; 0: no ceiling */
#define CPROF_OVERHEAD_MIN        5u
#define CPROF_GATEWAY_MIB_MIN     64u
#define CPROF_GATEWAY_MIB_MAX     4096u
#define CPROF_MAX_SAMPLES_MIN     10u /* a second; 0: no budget */
#define CPROF_MAX_SAMPLES_MAX     1000000u

/* cloudprofiler-root-tag. */
#define CPROF_ROOT_TAGS_MAX      9u /* cloudprofiler-worker-frame among them */
#define CPROF_ROOT_TAG_KEY_BYTES 65u

struct cprof_config {
    uint64_t magic;
    uint32_t version;
    uint32_t config_bytes; /* sizeof(struct cprof_config) of the writer */

    char service[CPROF_SERVICE_BYTES]; /* empty: none was given */
    char service_version[CPROF_SERVICE_VERSION_BYTES];
    char instance[CPROF_INSTANCE_BYTES];         /* host name */
    char instance_label[CPROF_INSTANCE_BYTES];   /* cloudprofiler-instance; empty: not given */
    char project_id[CPROF_PROJECT_ID_BYTES];     /* empty: none was given */
    char zone[CPROF_ZONE_BYTES];                 /* empty: none was given */
    char credentials[CPROF_PATH_BYTES];          /* a key file; empty: the standard search */
    char api_endpoint[CPROF_ENDPOINT_BYTES];     /* https://HOST[:PORT] */
    char ca_file[CPROF_PATH_BYTES];              /* empty: the system's */
    char output_dir[CPROF_PATH_BYTES];           /* empty: no local files */
    char http_address[CPROF_HTTP_ADDRESS_BYTES]; /* a path or ADDRESS:PORT; empty: no endpoint */
    char http_token[CPROF_HTTP_TOKEN_BYTES];     /* empty: the gateway makes one */
    char http_token_file[CPROF_PATH_BYTES];      /* where one that is made goes; may be empty */
    char web_dir[CPROF_PATH_BYTES];              /* the page's files */
    char uwsgi_version[64];
    char python_version[64];

    uint32_t output_interval_s;
    uint32_t output_duration_s;
    uint32_t output_keep;
    uint32_t period_ms;     /* of windows; the gateway's own copy may have a longer one */
    uint32_t set_period_ms; /* as an option or an operator has set it */
    uint32_t max_depth;
    uint32_t verbose;        /* enum cprof_log_level */
    uint32_t tags;           /* enum cprof_tag_bit */
    uint32_t path_segments;  /* 1 and more with CPROF_TAG_PATH */
    uint32_t root_tag_count; /* the first one is the outermost frame; "worker" is always there */
    char root_tags[CPROF_ROOT_TAGS_MAX][CPROF_ROOT_TAG_KEY_BYTES];
    uint32_t disable_cpu; /* 0 or 1, and so below */
    uint32_t disable_wall;
    uint32_t upload; /* there is a service and uploads are not disabled */
    uint32_t disable_metadata;
    uint32_t initial_backoff_s;
    uint32_t wall_idle;      /* threads that wait for a request stand in wall profiles, too */
    uint32_t slow_request_s; /* a request is slow when it takes longer; 0: none is */
    uint32_t native_leaf;    /* samples in native code tell in which */
    uint32_t max_overhead_hundredths; /* of a per cent of a worker's CPU time; 0: no ceiling */
    uint32_t gateway_memory_mib;      /* to make profiles with (windows/memory_share.h) */
    uint32_t max_samples; /* a second, of all processes together; 0: as many as there are */
    uint32_t http_allow_remote;
    uint32_t worker_count; /* the first slots are workers, */
    uint32_t mule_count;   /* then come mules */
    uint32_t spooler_count;
    uint32_t slot_count;      /* all of them */
    uint64_t log_bytes;       /* of each slot */
    uint64_t server_key;      /* tells servers of one service and host apart (host/server_key.h) */
    uint64_t started_unix_ns; /* when uWSGI started or was reloaded */
};

/* The kinds of profiles that are wanted, of enum cprof_kind; 0: none. */
static inline uint32_t cprof_config_kinds(const struct cprof_config *config)
{
    return (config->disable_cpu ? 0 : (uint32_t)CPROF_KIND_CPU) |
           (config->disable_wall ? 0 : (uint32_t)CPROF_KIND_WALL);
}

/* Is there anybody that profiles are for: files, Cloud Profiler, the endpoint, slow requests? */
static inline bool cprof_config_wants_profiles(const struct cprof_config *config)
{
    return config->output_dir[0] != '\0' || config->upload || config->http_address[0] != '\0' ||
           config->slow_request_s > 0;
}

#endif
