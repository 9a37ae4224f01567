/* commands.h - what operators ask for while the server runs, on its way to the gateway.
 *
 * The same ones whoever asks: a letter in the master's fifo, a hook, an alarm, a route, HTTP. All
 * but the last come through the ring in shared memory, in no promised order among writers.
 *
 * Writers   the master and workers, also several at once: one CAS each, no lock, no waiting. A full
 *           ring refuses.
 * Reader    the gateway, one thread (gateway/control/command_runner.h).
 * Bell      a pipe that the master makes before its first fork. (Its inode tells whether the app
 *           has closed our descriptor and got the number for something of its own.)
 * Trust     any worker can write anything here: the reader copies a word, then checks it. A command
 *           is numbers: no path, no text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_COMMANDS_H
#define CPROF_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../base/attributes.h"
#include "../base/error.h"
#include "layout.h"

enum cprof_command_name {
    CPROF_COMMAND_PROFILE = 1, /* value: seconds, 1 to 600; kinds */
    CPROF_COMMAND_STACKS,      /* all threads' stacks, now, to the log */
    CPROF_COMMAND_ON,
    CPROF_COMMAND_OFF, /* no window is open until ON */
    CPROF_COMMAND_TOGGLE,
    CPROF_COMMAND_KINDS,    /* kinds; 0: as configured */
    CPROF_COMMAND_PERIOD,   /* value: ms, 1 to 1000; 0: as configured */
    CPROF_COMMAND_UPLOAD,   /* value: 0 or 1 */
    CPROF_COMMAND_INTERVAL, /* value: seconds between profiles of output-dir; 0: as configured */
    CPROF_COMMAND_COUNT,
};

/* Who asks: for the log and the profile's comments. */
enum cprof_origin {
    CPROF_ORIGIN_FIFO = 1,
    CPROF_ORIGIN_HOOK,
    CPROF_ORIGIN_ALARM,
    CPROF_ORIGIN_ROUTE,
    CPROF_ORIGIN_HTTP,
    CPROF_ORIGIN_COUNT,
};

struct cprof_command {
    uint32_t name;   /* enum cprof_command_name */
    uint32_t origin; /* enum cprof_origin */
    uint32_t kinds;  /* enum cprof_kind */
    uint32_t value;  /* less than 2^32, as the command says */
};

/* "fifo", "hook" ...; "somebody" for anything else. A constant. */
const char *cprof_origin_name(uint32_t origin);

/* Reads what people write: "profile 30 wall", "profile" (30 s of all kinds that are configured:
 * kinds 0), "stacks", "on", "off", "toggle", "kinds cpu,wall", "kinds default", "period 5",
 * "upload off", "interval 120". False with what would be accepted. The origin is the caller's. */
bool cprof_command_parse(struct cprof_command *command, const char *text,
                         struct cprof_error *error) CPROF_MUST_USE;

/* Are all numbers within the bounds of their command? */
bool cprof_command_is_sound(const struct cprof_command *command);

/* Puts a sound command into the ring. False: it is full, or the command is none. */
bool cprof_commands_put(struct cprof_commands *commands,
                        const struct cprof_command *command) CPROF_MUST_USE;

/* The gateway: takes the next command out; false: there is none. Words that are no sound command
 * are dropped. `next` is the reader's own place, 0 at first. */
bool cprof_commands_take(struct cprof_commands *commands, uint32_t *next,
                         struct cprof_command *command) CPROF_MUST_USE;

/* The two ends of the bell, CLOEXEC and never blocking. */
struct cprof_bell {
    int read_fd, write_fd;
    dev_t device;
    ino_t inode;
};
bool cprof_bell_create(struct cprof_bell *bell, struct cprof_error *error) CPROF_MUST_USE;

/* Any process that inherited it. Does nothing if the number is something else's by now. */
void cprof_bell_ring(const struct cprof_bell *bell);

#endif
