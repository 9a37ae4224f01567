/* attempts.c - see attempts.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "attempts.h"

#include <stddef.h>
#include <sys/random.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"

#define FIRST_GAP_NS      NS_PER_S
#define RETRY_AFTER_S_MAX 60

bool cprof_attempts_is_transient(const struct cprof_http_answer *answer)
{
    switch (answer->outcome) {
    case CPROF_HTTP_ANSWERED:
        return answer->status >= 500 || answer->status == 408 || answer->status == 429;
    case CPROF_HTTP_UNRESOLVED:
    case CPROF_HTTP_UNREACHABLE:
    case CPROF_HTTP_BROKEN:
    case CPROF_HTTP_TOO_LATE:
        return true;
    case CPROF_HTTP_UNTRUSTED:
    case CPROF_HTTP_NO_CA:
    case CPROF_HTTP_TOO_LARGE:
    case CPROF_HTTP_FAILED:
        break;
    }
    return false;
}

static uint64_t spread(uint64_t gap_ns)
{
    uint16_t random = UINT16_MAX / 2; /* the middle, if the kernel has none */

    (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
    return gap_ns - gap_ns / 10 + gap_ns / 5 * random / UINT16_MAX;
}

static void end(struct cprof_attempts *attempts, const struct cprof_http_answer *answer)
{
    cprof_loop_remove_timer(attempts->loop, &attempts->timer);
    attempts->request = NULL;
    attempts->finished(attempts->context, answer);
}

static void answered(void *context, const struct cprof_http_answer *answer)
{
    struct cprof_attempts *attempts = context;
    uint64_t gap_ns = spread(attempts->gap_ns);

    attempts->call = NULL;
    if (attempts->left == 0 || !cprof_attempts_is_transient(answer)) {
        end(attempts, answer);
        return;
    }
    if (answer->retry_after_s > 0 && answer->retry_after_s <= RETRY_AFTER_S_MAX) {
        gap_ns = (uint64_t)answer->retry_after_s * NS_PER_S;
    }
    attempts->gap_ns *= 2;
    attempts->timer.due_ns = cprof_now_ns() + gap_ns;
}

static bool send_request(struct cprof_attempts *attempts, struct cprof_error *error)
{
    attempts->left--;
    attempts->call =
        cprof_http_start(attempts->client, attempts->request, answered, attempts, error);
    return attempts->call != NULL;
}

static void gap_is_over(void *context, uint64_t now_ns)
{
    struct cprof_attempts *attempts = context;
    struct cprof_error error;

    (void)now_ns;
    if (!send_request(attempts, &error)) {
        end(attempts, &(struct cprof_http_answer){
                          .outcome = CPROF_HTTP_FAILED, .body = "", .trouble = error.text});
    }
}

void cprof_attempts_init(struct cprof_attempts *attempts, struct cprof_http_client *client,
                         struct cprof_loop *loop)
{
    *attempts = (struct cprof_attempts){
        .client = client,
        .loop = loop,
        .timer = {.due_ns = CPROF_LOOP_NEVER, .fire = gap_is_over, .context = attempts},
    };
}

bool cprof_attempts_start(struct cprof_attempts *attempts, unsigned count,
                          const struct cprof_http_request *request, cprof_http_finished *finished,
                          void *context, struct cprof_error *error)
{
    attempts->request = request;
    attempts->left = count;
    attempts->gap_ns = FIRST_GAP_NS;
    attempts->finished = finished;
    attempts->context = context;
    if (!cprof_loop_add_timer(attempts->loop, &attempts->timer)) {
        attempts->request = NULL;
        return cprof_fail(error, "no timer is free");
    }
    if (!send_request(attempts, error)) {
        cprof_attempts_cancel(attempts);
        return false;
    }
    return true;
}

void cprof_attempts_cancel(struct cprof_attempts *attempts)
{
    cprof_http_cancel(attempts->call);
    attempts->call = NULL;
    attempts->request = NULL;
    attempts->timer.due_ns = CPROF_LOOP_NEVER;
    cprof_loop_remove_timer(attempts->loop, &attempts->timer);
}
