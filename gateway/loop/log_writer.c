/* log_writer.c - see log_writer.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define AT_THE_END (-1) /* no offset: as write(2) */

/* Nothing waits while it is held. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t dropped, reported;

static bool takes_no_wait(void)
{
    struct stat about;

    return fstat(STDERR_FILENO, &about) == 0 &&
           (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode));
}

/* One write, so that lines of several processes do not mix. False: there is no room now. Any other
 * failure leaves nothing to be done. */
static bool write_now(const char *line)
{
    struct iovec part = {.iov_base = (void *)line, .iov_len = strlen(line)};
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (takes_no_wait()) {
        if (pwritev2(STDERR_FILENO, &part, 1, AT_THE_END, RWF_NOWAIT) >= 0) {
            return true;
        }
        if (errno == EAGAIN) {
            return false;
        }
    }
    if (poll(&room, 1, 0) == 0) {
        return false;
    }
    return write(STDERR_FILENO, line, part.iov_len) >= 0 || errno != EAGAIN;
}

static bool report_dropped(void)
{
    char line[128];

    if (dropped == reported) {
        return true;
    }
    (void)snprintf(line, sizeof(line),
                   "[cloudprofiler] warning: %" PRIu64 " log lines of the gateway are missing "
                   "here: nobody read the log\n",
                   dropped - reported);
    if (!write_now(line)) {
        return false;
    }
    reported = dropped;
    return true;
}

void cprof_log_writer_write(const char *line)
{
    (void)pthread_mutex_lock(&lock);
    if (!report_dropped() || !write_now(line)) {
        dropped++;
    }
    (void)pthread_mutex_unlock(&lock);
}

uint64_t cprof_log_writer_dropped(void)
{
    uint64_t count;

    (void)pthread_mutex_lock(&lock);
    count = dropped;
    (void)pthread_mutex_unlock(&lock);
    return count;
}
