/* layout.h - the shared segment, as plain data: what lies where, who writes it, and when.
 *
 *     offset 0            control page        one instance
 *     CPROF_TICKETS_OFFSET  tickets           of its windows
 *     CPROF_REGION_BYTES  slot 0: header      one process place (worker 1..N)
 *                                 requests    behind it, in its region
 *                         slot 0: log         log_bytes, in chunks of 16 KiB
 *                         slot 1: header      ...
 *     behind the slots    commands            what operators ask for
 *
 * Drawn field by field in docs/shared-memory.md. Every region starts on a multiple of
 * CPROF_REGION_BYTES, so that it can be mapped alone whatever the page size is; the memory file
 * is sparse, so that the gaps cost nothing.
 *
 * Life      made by the master before the first fork; it outlives the master's exec on a reload
 *           and is then only read. Times are CLOCK_MONOTONIC, which all processes of a machine
 *           share, unless a name says unix.
 * Trust     any worker can write all of it: a reader copies first and validates the copy.
 * Atomics   lock-free on every supported machine. Fields without _Atomic are written before the
 *           word that publishes them and never again while that word stands.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_LAYOUT_H
#define CPROF_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "../base/config.h"

#define CPROF_SEGMENT_MAGIC  UINT64_C(0x31676573666f7270) /* "profseg1", little-endian */
#define CPROF_LAYOUT_VERSION 19

#define CPROF_REGION_BYTES  65536u /* the largest page size of Linux's common machines */
#define CPROF_CHUNK_BYTES   16384u
#define CPROF_LOG_BYTES_MIN (16u * CPROF_CHUNK_BYTES)
#define CPROF_LOG_BYTES_MAX (UINT64_C(1) << 30) /* references are 32 bits of 8 bytes: ample */
#define CPROF_SLOTS_MAX     4096u

#define CPROF_WINDOWS_MAX 7u /* the schedule, the cloud, four on demand, one for slow requests */

/* Who asked for a window. */
enum cprof_window_source {
    CPROF_SOURCE_SCHEDULE = 1, /* the local schedule */
    CPROF_SOURCE_CLOUD = 2,    /* Cloud Profiler, by its create call */
    CPROF_SOURCE_DEMAND = 3,   /* somebody who asks for one profile, now */
    CPROF_SOURCE_WATCH = 4,    /* a request that runs too long, or a dump of stacks */
};

/* What an orderer leaves beside a window for a later gateway. */
#define CPROF_TICKET_BYTES_MAX 8192u

enum cprof_window_flag {
    /* The logs held samples of other windows when it opened. What they said then, and what is to
     * be taken off, is known to the gateway that opened it, and to nobody when that is killed. */
    CPROF_WINDOW_HAS_BASE = 1u << 0,
    /* Stacks carry the mark of the request that they belong to, if it ran when the window began
     * already; */
    CPROF_WINDOW_REQUESTS = 1u << 1,
    /* and with this one also if it did not. */
    CPROF_WINDOW_NEW_REQUESTS = 1u << 2,
    /* Its period is longer than the one that is set: the profiler would pass its ceilings. */
    CPROF_WINDOW_STRETCHED = 1u << 3,
    /* The logs were given back since it began. What was sampled before is known to the gateway that
     * opened it, and to nobody when that is killed. */
    CPROF_WINDOW_LATER_PART = 1u << 4,
};

/* A window descriptor: immutable while its bit stands in window_mask. Written by the gateway. */
struct cprof_window {
    uint32_t id;     /* 1, 2, 3 ... within the segment */
    uint32_t epoch;  /* the life of the logs that it samples into */
    uint32_t kinds;  /* enum cprof_kind */
    uint32_t source; /* enum cprof_window_source */
    uint64_t period_ns;
    uint64_t start_ns;
    uint64_t end_ns; /* slots stop by themselves then */
    uint64_t start_unix_ns;
    uint32_t flags;        /* enum cprof_window_flag */
    uint32_t ticket_bytes; /* what stands in its place of struct cprof_tickets */
};

/* Why a tick gave no stack: each reason has a counter of its own. */
enum cprof_miss {
    CPROF_MISS_ENTRY,      /* the interpreter was entering its evaluation loop */
    CPROF_MISS_STARTING,   /* the innermost frame was not linked to its caller yet */
    CPROF_MISS_UNREADABLE, /* a frame or code object could not be read or was none */
    CPROF_MISS_CONTEXTS,   /* more handlers at once than there are contexts */
    CPROF_MISS_STALE,      /* the tick belonged to a thread or window that was gone */
    CPROF_MISS_BLOCKED,    /* a thread keeps the signal blocked (each counts once a window) */
    CPROF_MISS_LOST,       /* the timer's signal never came and the timer was armed again */
    CPROF_MISS_STACK,      /* the thread's stack had no room for the handler */
    CPROF_MISS_COUNT,
};

/* What a slot counts in one epoch. Its texts are in counters.c. A new one is added at the end, so
 * that none of the others moves. */
enum cprof_counter {
    CPROF_COUNTER_SAMPLES,          /* ticks that gave a stack, those of a full log too */
    CPROF_COUNTER_TIMER_TICKS,      /* signals of the timer engine, whatever came of them */
    CPROF_COUNTER_PERF_TICKS,       /* and of perf events */
    CPROF_COUNTER_PERF_WEIGHT_NS,   /* raw user time of threads with a perf event */
    CPROF_COUNTER_KERNEL_WEIGHT_NS, /* raw time in system calls of such threads */
    CPROF_COUNTER_OTHER_WEIGHT_NS,  /* their timer ticks behind no system call */
    CPROF_COUNTER_TIMER_WEIGHT_NS,  /* raw sum of threads that only the timer samples */
    CPROF_COUNTER_PERF_REFUSED,     /* threads that were refused a perf event */
    CPROF_COUNTER_CPU_CLOCK_NS,     /* CPU time of the process in its windows, ticker left out */
    CPROF_COUNTER_SAMPLED_CLOCK_NS, /* that part of it which sampled threads used */
    CPROF_COUNTER_PERF_CLOCK_NS,    /* and of that, the part of threads with a perf event */
    CPROF_COUNTER_TICKER_CPU_NS,    /* the ticker's own CPU time */
    CPROF_COUNTER_HANDLER_CPU_NS,   /* of the ticks' handlers: sixteen times that of one in 16 */
    CPROF_COUNTER_SAMPLING_NS,      /* how long windows were sampled, by the wall clock */
    CPROF_COUNTER_THREADS_SEEN,
    CPROF_COUNTER_MISSED, /* the first of CPROF_MISS_COUNT, in the order of enum cprof_miss */
    CPROF_COUNTER_MISSED_NS = CPROF_COUNTER_MISSED + CPROF_MISS_COUNT,
    CPROF_COUNTER_LOG_FULL,        /* ticks whose new stack found no room */
    CPROF_COUNTER_LOG_FULL_NS,     /* and their weight */
    CPROF_COUNTER_MEMORY_REFUSED,  /* records for which the system had no memory */
    CPROF_COUNTER_LEAVES_LEFT_OUT, /* ticks whose native leaf found no room */
    CPROF_COUNTER_TAG_OVERFLOWS,   /* ticks and looks with a tag "[other]": its key has too many
                                    * values, or too many combinations with others */
    CPROF_COUNTER_TAGS_LOST,       /* ticks and looks without a tag that was set: there was no room
                                    * for its combination with the others */
    /* Wall time, in windows that collect it. Each thread's time is one of CPU time, run-queue
     * time and the rest, off the CPU. */
    CPROF_COUNTER_WALL_CLOCK_NS,       /* time of the threads that were followed, summed */
    CPROF_COUNTER_OFF_CPU_LOOKS,       /* looks at sleeping threads that booked time */
    CPROF_COUNTER_OFF_CPU_WEIGHT_NS,   /* and what they booked, idle time included */
    CPROF_COUNTER_RUNNABLE_NS,         /* run-queue time, from the kernel's own accounts */
    CPROF_COUNTER_RUNNABLE_LOOKS,      /* looks that found a thread waiting for a CPU */
    CPROF_COUNTER_OFF_CPU_LOG_FULL_NS, /* time asleep in stacks that found no room */
    CPROF_COUNTER_OFF_CPU_MOVED,       /* looks that were dropped because the thread moved */
    CPROF_COUNTER_OFF_CPU_WALKS,       /* looks that had to walk a stack */
    /* Parts of what profiling costs (ledger.h), beside those of ticker and handlers. */
    CPROF_COUNTER_DELIVERY_CPU_NS, /* the kernel's, for signals: their number times a constant */
    CPROF_COUNTER_SWITCH_CPU_NS,   /* of perf events that are switched with their threads */
    CPROF_COUNTER_PERF_GIVEN_UP,   /* processes that have no perf events for what that cost */
    /* What found no place. */
    CPROF_COUNTER_THREADS_LEFT_OUT,   /* threads that are not followed, at most at a time */
    CPROF_COUNTER_GREENLETS_LEFT_OUT, /* the same of greenlets */
    CPROF_COUNTER_SCOPES_LEFT_OUT,    /* contexts whose tags were not set */
    CPROF_COUNTER_LINES_LEFT_OUT,     /* code objects whose line table is too long */
    CPROF_COUNTER_COUNT,
};

#define CPROF_COUNTERS_MAX 64u /* room for them: one more changes no offset */

/* What is counted for monitoring systems. The names are in figures.h. */
enum cprof_figure {
    CPROF_FIGURE_SAMPLES, /* looks that booked time, too */
    CPROF_FIGURE_WINDOWS,
    CPROF_FIGURE_PROFILES_WRITTEN,
    CPROF_FIGURE_PROFILES_UPLOADED,
    CPROF_FIGURE_PROFILES_FAILED,
    CPROF_FIGURE_BYTES_UPLOADED,
    CPROF_FIGURE_SECONDS_SINCE_UPLOAD, /* -1: nothing was uploaded yet */
    CPROF_FIGURE_LOG_FILL,             /* per cent of the fullest slot's log */
    CPROF_FIGURE_COUNTERS,             /* the first of the slots' counters, summed */
    CPROF_FIGURE_COUNT = CPROF_FIGURE_COUNTERS + CPROF_COUNTER_COUNT,
};

/* What operators have set while the server runs; 0 in each: as configured. */
struct cprof_switches {
    _Atomic uint32_t off;   /* 1: no window is opened */
    _Atomic uint32_t kinds; /* enum cprof_kind */
    _Atomic uint32_t period_ms;
    _Atomic uint32_t upload_off; /* 1: nothing is sent */
    _Atomic uint32_t output_interval_s;
};

struct cprof_control {
    /* Written by the master before the first fork, never changed. */
    uint64_t magic;
    uint32_t layout_version;
    uint32_t slot_count;
    uint64_t log_bytes;
    uint64_t segment_bytes;

    /* Written by the master when it goes down or reloads: no sample is younger. 0: still up. */
    _Atomic uint64_t closed_ns;

    /* Written by the gateway. */
    _Atomic uint32_t doorbell;    /* futex: counts up whenever a ticker has something to look at */
    _Atomic uint32_t window_mask; /* bit i: windows[i] stands */
    _Atomic uint32_t epoch;       /* the epoch that logs are in, counts from 1 */
    _Atomic uint32_t harvested;   /* 1: nothing worth reading is left (set after a reload) */
    _Atomic uint32_t next_window_id;
    _Atomic uint32_t gateway_pid;
    _Atomic uint32_t gateway_starts; /* how often a gateway started on this segment */
    _Atomic uint64_t heartbeat_ns;   /* when the gateway last went round its loop */
    _Atomic uint64_t profiles_written;
    _Atomic uint64_t profiles_failed;

    /* No window of the epoch, of those that stand and those given back, ends later. */
    _Atomic uint64_t epoch_end_ns;

    struct cprof_window windows[CPROF_WINDOWS_MAX];

    /* Written by the gateway, and by the master before the first fork of a start that is a
     * reload, so that what was set outlives both. */
    struct cprof_switches switches;

    /* Written by the master before the first fork, never changed. */
    uint32_t request_count; /* entries of requests that each slot has room for */

    /* Written by the gateway: what the slots' counters were when they were set to zero, summed. */
    _Atomic uint64_t past_counters[CPROF_COUNTERS_MAX];

    /* Written by the gateway once a second. */
    _Atomic int64_t figures[CPROF_FIGURE_COUNTERS + CPROF_COUNTERS_MAX];
};

/* Behind the control page, in its region. Written by the gateway before the window's bit. */
struct cprof_tickets {
    char text[CPROF_WINDOWS_MAX][CPROF_TICKET_BYTES_MAX]; /* without NUL */
};

#define CPROF_TICKETS_OFFSET 4096u

/* A thread that has a perf event needs the timer for its kernel time alone, so the timer ticks
 * more rarely there, each tick with more weight: two engines at the full rate would cost twice. */
#define CPROF_TIMER_SLOWDOWN 4u

enum cprof_slot_kind {
    CPROF_SLOT_WORKER = 1,
    CPROF_SLOT_MULE = 2,
    CPROF_SLOT_SPOOLER = 3,
};

struct cprof_slot {
    /* Written by the master before the first fork. */
    uint32_t kind;   /* enum cprof_slot_kind */
    uint32_t number; /* 1 for the first worker */

    /* Written by the process that sits in the slot. */
    _Atomic uint32_t pid;
    _Atomic uint32_t incarnation;  /* counts the processes that sat here */
    _Atomic uint32_t joined_epoch; /* last epoch that the present process sampled in */
    _Atomic uint32_t closed_epoch; /* last epoch that it does not write to (any more); taken back
                                    * before it joins another window of the epoch */

    /* epoch << 32 | number of chunks claimed. Moved on by CAS by the slot's process; set to
     * (next epoch, 0) by the gateway once the log is its own again. */
    _Atomic uint64_t claim;

    /* By the slot's process, in an epoch that it has joined: log and counters hold all that was
     * used and slept until then. Moved on when a window begins or ends beside others. */
    _Atomic uint64_t settled_ns;

    /* By the slot's process (enum cprof_counter); set to zero by the gateway when it gives the log
     * back. */
    _Atomic uint64_t counters[CPROF_COUNTERS_MAX];

    /* Written by the master, for workers: about once a second. */
    _Atomic uint64_t deadline_unix_ns;  /* uWSGI ends it from then on (harakiri); 0: never */
    _Atomic uint64_t oldest_request_us; /* when its oldest request began, unix time; 0: none runs */
    _Atomic uint64_t followed_request_us; /* the same of those that may be followed as slow ones */
    _Atomic uint64_t looked_us;           /* when that was so, unix time; written last; 0: never */
    _Atomic uint64_t struck_ns;           /* when uWSGI ended a process here, 0: never did */
    _Atomic uint32_t struck_pid;          /* and which one; written first */
    uint32_t reserved;
};

/* How many entries a slot may have: at least those that fill a region, and as many as a worker has
 * cores. Pages behind those that were ever needed at once cost nothing. */
#define CPROF_REQUESTS_MIN     256u
#define CPROF_REQUESTS_MAX     65536u
#define CPROF_METHOD_BYTES_MAX 16u
#define CPROF_URI_BYTES_MAX    204u

enum cprof_request_flag {
    CPROF_REQUEST_EXCEPTED = 1u << 0, /* it is slow by nature, and not followed for it */
};

/* A request that one of a worker's cores serves, or has served: what the marks of stacks stand
 * for. Written by the slot's ticker in windows that ask for it, and only then up to date. The first
 * entry that is all zeros, and all behind it, were never written. */
struct cprof_request_entry {
    _Atomic uint32_t sequence; /* odd while it is being written */
    uint32_t mark;             /* as in struct cprof_stack_record; 0: nothing stands here */
    uint64_t start_us;         /* unix time */
    uint64_t end_us;           /* when it was seen to be over; 0: it runs */
    uint32_t incarnation;      /* of the slot, whose process served it */
    uint16_t method_bytes;
    uint16_t uri_bytes;
    char method[CPROF_METHOD_BYTES_MAX];
    char uri[CPROF_URI_BYTES_MAX]; /* without the query */
    uint32_t flags;                /* enum cprof_request_flag */
};

#define CPROF_COMMANDS_MAX 64u

/* Behind the last slot, in a region of its own. Written by the master and by workers on behalf of
 * operators; taken out by the gateway. A command is one word, which one CAS writes, so that a
 * writer that is killed leaves all of it or nothing (commands.h). */
struct cprof_commands {
    _Atomic uint64_t entries[CPROF_COMMANDS_MAX]; /* 0: free */
    _Atomic uint32_t next;                        /* where the next writer begins */
    _Atomic uint32_t refused;                     /* commands that found no place */
    /* Until then a profile for routes is under way; CPU, wall. By workers, for each other. */
    _Atomic uint64_t route_until_ns[2];
};

/* A chunk has one writer at a time and is never passed on. Records follow the header. */
struct cprof_chunk {
    uint32_t epoch;
    uint32_t incarnation;
    _Atomic uint32_t fill; /* bytes of whole records behind the header; the release store */
    uint32_t reserved;
};

#define CPROF_CHUNK_PAYLOAD_BYTES (CPROF_CHUNK_BYTES - (uint32_t)sizeof(struct cprof_chunk))

/* A record is named by its reference: its byte offset in the log divided by 8. 0 names none
 * (it would be a chunk header). References point backwards in time: what a record names was
 * published before it. */
#define CPROF_NO_REF 0u

enum cprof_record_type {
    CPROF_RECORD_LINES = 1,   /* struct cprof_lines_record */
    CPROF_RECORD_CODE = 2,    /* struct cprof_code_record */
    CPROF_RECORD_TAG = 3,     /* struct cprof_tag_record */
    CPROF_RECORD_STACK = 4,   /* struct cprof_stack_record */
    CPROF_RECORD_LEAF = 5,    /* struct cprof_leaf_record */
    CPROF_RECORD_MAPPING = 6, /* struct cprof_mapping_record */
};

struct cprof_record {
    uint16_t type; /* enum cprof_record_type */
    uint16_t flags;
    uint32_t bytes; /* the whole record, this header included; a multiple of 8 */
};

/* One part of a line table; long tables are a chain of parts, the last one named by the code. */
struct cprof_lines_record {
    struct cprof_record record;
    uint32_t previous_ref; /* the part before this one, or CPROF_NO_REF */
    uint32_t part_bytes;
    /* uint8_t part[part_bytes] */
};

#define CPROF_LINES_PART_BYTES_MAX 8192u
#define CPROF_LINE_TABLE_BYTES_MAX (256u * 1024u) /* longer ones are left out: first line only */

enum cprof_line_format {
    CPROF_LINES_NONE = 0,
    CPROF_LINES_LNOTAB = 1,    /* co_lnotab, CPython 3.6 to 3.9 */
    CPROF_LINES_TABLE_310 = 2, /* co_linetable, CPython 3.10 */
    CPROF_LINES_TABLE_311 = 3, /* co_linetable, CPython 3.11 and later */
};

#define CPROF_NAME_BYTES_MAX 1024u /* of each text; longer ones are cut */

/* A code object, copied when it was first seen. Texts are UTF-8 without NUL, in this order. */
struct cprof_code_record {
    struct cprof_record record;
    int32_t first_line;
    uint32_t line_format; /* enum cprof_line_format */
    uint32_t lines_ref;   /* last part of the line table, or CPROF_NO_REF */
    uint32_t line_table_bytes;
    uint16_t name_bytes;
    uint16_t qualified_name_bytes; /* 0: this CPython keeps none */
    uint16_t file_bytes;
    uint16_t reserved;
    /* char name[], qualified_name[], file[] */
};

/* One tag, in a chain. */
struct cprof_tag_record {
    struct cprof_record record;
    uint32_t parent_ref; /* the tags before this one, or CPROF_NO_REF */
    uint16_t key_bytes;
    uint16_t value_bytes;
    /* char key[], value[] */
};

#define CPROF_TAGS_PER_STACK_MAX 17u /* the thread, and all keys of sample/tag_values.h */

enum cprof_stack_flag {
    CPROF_STACK_TRUNCATED = 1u << 0, /* deeper than max-depth: the root side is missing */
    CPROF_STACK_NATIVE = 1u << 1,    /* a thread that has no Python thread state */
    CPROF_STACK_IDLE = 1u << 2,      /* off the CPU and without work: it waits for a request */
};

/* How a stack was met. */
enum cprof_stack_kind {
    CPROF_STACK_ON_CPU = 1,   /* by the running thread itself: CPU profiles, wall profiles too */
    CPROF_STACK_OFF_CPU = 2,  /* by the ticker, while the thread slept or waited for a CPU: wall
                               * profiles */
    CPROF_STACK_RUNNABLE = 3, /* no frames: run-queue time of the thread that tag_ref names, by the
                               * kernel's account, to be shared out over that thread's stacks */
};

/* What a sleeping thread waits in. The names are in states.h. */
enum cprof_state {
    CPROF_STATE_NONE,     /* a stack on the CPU, or one that waits for it */
    CPROF_STATE_UNKNOWN,  /* asleep, and the kernel does not say where */
    CPROF_STATE_RECV,     /* data from a socket */
    CPROF_STATE_SEND,     /* room in a socket */
    CPROF_STATE_POLL,     /* any of several descriptors */
    CPROF_STATE_ACCEPT,   /* a connection from a client */
    CPROF_STATE_CONNECT,  /* a connection to a server */
    CPROF_STATE_FUTEX,    /* a lock */
    CPROF_STATE_GIL,      /* the interpreter's own lock */
    CPROF_STATE_SLEEP,    /* a clock */
    CPROF_STATE_FILE,     /* a file system */
    CPROF_STATE_WAIT,     /* a child process */
    CPROF_STATE_FAULT,    /* memory that is not there yet: no system call */
    CPROF_STATE_GREENLET, /* another greenlet of its thread to give way */
    CPROF_STATE_SOCKET,   /* data from a socket or room in it: the kernel does not say which */
    CPROF_STATE_COUNT,
    CPROF_STATE_SYSTEM_CALL = 0x1000, /* + the number of any other system call */
};

#define CPROF_SYSTEM_CALLS_MAX 0x1000u

/* What a thread had of the interpreter's lock. */
enum cprof_gil {
    CPROF_GIL_UNKNOWN,  /* a thread without Python, or a version that does not tell */
    CPROF_GIL_HELD,     /* it had the lock */
    CPROF_GIL_WAITING,  /* it waited for the lock */
    CPROF_GIL_RELEASED, /* neither */
    CPROF_GIL_COUNT,
};

struct cprof_frame {
    uint32_t code_ref;
    int32_t byte_offset; /* into the bytecode; negative: not started, the first line counts */
};

#define CPROF_DEPTH_MAX 1024u

/* A stack with its tags, leaf first. No frame: time outside Python. count and weight_ns only
 * grow (but for a correction of an off-CPU weight, sample/offcpu.c); count is moved last, so
 * that a count of 0 is a sample in flight.
 *
 * Where a thread has a perf event, that event gives its user time and the timer's ticks behind
 * system calls give its time in those; both are weight_ns. All ticks of timers stand in
 * timer_weight_ns: where that is more than weight_ns, the thread was in the kernel elsewhere (in
 * page faults, above all). A tick behind no system call is no sample and not in count.
 *
 * In a stack off the CPU timer_weight_ns says how long looks found the thread waiting for a CPU
 * there: a part in its run-queue time, and no time of its own. It is in no count. */
struct cprof_stack_record {
    struct cprof_record record;
    _Atomic uint64_t count;
    _Atomic uint64_t weight_ns;
    _Atomic uint64_t timer_weight_ns;
    uint32_t tag_ref; /* last tag of the chain, or CPROF_NO_REF */
    uint16_t depth;
    uint8_t kind;   /* enum cprof_stack_kind */
    uint8_t flags;  /* enum cprof_stack_flag */
    uint32_t state; /* enum cprof_state */
    uint8_t gil;    /* enum cprof_gil */
    uint8_t reserved;
    uint16_t system_call; /* off the CPU: the number of the system call + 1, 0: not known */
    uint32_t request;     /* mark of its request, 0: none, or no window asked for it */
    uint32_t reserved_2;
    struct cprof_frame frames[];
};

/* A sample of a stack that was on the CPU in native code outside the interpreter. It counts here
 * and not on the stack; the numbers mean the same. */
struct cprof_leaf_record {
    struct cprof_record record;
    uint32_t stack_ref;
    uint32_t incarnation; /* of the process, whose mappings tell what lies at the address */
    uint64_t pc;          /* the interrupted instruction */
    _Atomic uint64_t count;
    _Atomic uint64_t weight_ns;
    _Atomic uint64_t timer_weight_ns;
};

/* Leaf records take at most this part of a log, so that stacks find room, and no more than the
 * table that finds them again can hold. */
#define CPROF_LEAF_LOG_PART 4u
#define CPROF_LEAVES_MAX    24576u

#define CPROF_MAPPING_PATH_BYTES_MAX 1024u
#define CPROF_MAPPINGS_MAX           4096u /* of a log */

/* Executable memory of a process, as /proc/PID/maps says (proc(5)). */
struct cprof_mapping_record {
    struct cprof_record record;
    uint64_t start;
    uint64_t end;
    uint64_t file_offset;
    uint64_t inode;
    uint32_t device_major;
    uint32_t device_minor;
    uint32_t incarnation; /* of the process */
    uint16_t path_bytes;  /* 0: memory without a file or a name */
    uint16_t reserved;
    /* char path[] */
};

/* The largest record must fit into one chunk. */
_Static_assert(sizeof(struct cprof_stack_record) + CPROF_DEPTH_MAX * sizeof(struct cprof_frame) <=
                   CPROF_CHUNK_PAYLOAD_BYTES,
               "a stack fits into a chunk");
_Static_assert(sizeof(struct cprof_lines_record) + CPROF_LINES_PART_BYTES_MAX <=
                   CPROF_CHUNK_PAYLOAD_BYTES,
               "a part of a line table fits into a chunk");
_Static_assert(sizeof(struct cprof_code_record) + 3 * CPROF_NAME_BYTES_MAX <=
                   CPROF_CHUNK_PAYLOAD_BYTES,
               "a code object fits into a chunk");
_Static_assert(CPROF_COUNTER_COUNT <= CPROF_COUNTERS_MAX, "each counter has its place");
_Static_assert(sizeof(struct cprof_control) <= CPROF_TICKETS_OFFSET, "it is one page");
_Static_assert(CPROF_TICKETS_OFFSET + sizeof(struct cprof_tickets) <= CPROF_REGION_BYTES,
               "both are mapped together");
_Static_assert(sizeof(struct cprof_commands) <= CPROF_REGION_BYTES, "they have one region");
_Static_assert(sizeof(struct cprof_slot) <= 4096, "a slot header is one page");
_Static_assert(sizeof(struct cprof_request_entry) == 256, "drawn in docs/shared-memory.md");
_Static_assert(CPROF_REQUESTS_MIN * sizeof(struct cprof_request_entry) % CPROF_REGION_BYTES == 0,
               "the entries of each slot begin a region");
_Static_assert(sizeof(struct cprof_chunk) == 16, "records are aligned to 8 bytes");
_Static_assert(sizeof(struct cprof_stack_record) == 56, "drawn in docs/shared-memory.md");
_Static_assert(sizeof(struct cprof_code_record) == 32, "drawn in docs/shared-memory.md");
_Static_assert(sizeof(struct cprof_leaf_record) == 48, "drawn in docs/shared-memory.md");
_Static_assert(sizeof(struct cprof_mapping_record) == 56, "drawn in docs/shared-memory.md");

#endif
