/* results.c - see results.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "results.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pages.h"

#define FILE_BYTES                                                                                 \
    (CPROF_RESULTS_BYTES_OFFSET + (size_t)CPROF_RESULT_KINDS * CPROF_RESULT_BYTES_MAX)

_Static_assert(sizeof(struct cprof_results) <= CPROF_RESULTS_BYTES_OFFSET, "heads come first");

static const int results_seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

static struct cprof_results *map(int fd, int protection, struct cprof_error *error)
{
    void *results = mmap(NULL, FILE_BYTES, protection, MAP_SHARED | MAP_NORESERVE, fd, 0);

    if (results == MAP_FAILED) {
        cprof_fail_errno(error, errno, "finished profiles: mmap of %zu bytes", FILE_BYTES);
        return NULL;
    }
    return results;
}

const struct cprof_results *cprof_results_create(int *fd, struct cprof_error *error)
{
    const uint64_t magic = CPROF_RESULTS_MAGIC;
    const struct cprof_results *results = NULL;

    *fd = memfd_create("cloudprofiler-results", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0) {
        cprof_fail_errno(error, errno, "finished profiles: memfd_create");
        return NULL;
    }
    if (ftruncate(*fd, (off_t)FILE_BYTES) != 0 || fcntl(*fd, F_ADD_SEALS, results_seals) != 0 ||
        pwrite(*fd, &magic, sizeof(magic), 0) != (ssize_t)sizeof(magic)) {
        cprof_fail_errno(error, errno, "finished profiles: cannot size and seal them");
    } else {
        results = map(*fd, PROT_READ, error);
    }
    if (!results) {
        close(*fd);
        *fd = -1;
    }
    return results;
}

struct cprof_results *cprof_results_open(int fd, struct cprof_error *error)
{
    struct cprof_results *results;
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & results_seals) != results_seals || fstat(fd, &status) != 0 ||
        status.st_size != (off_t)FILE_BYTES) {
        cprof_fail_for_good(error, "finished profiles: descriptor %d is no such file", fd);
        return NULL;
    }
    results = map(fd, PROT_READ | PROT_WRITE, error);
    if (results && results->magic != CPROF_RESULTS_MAGIC) {
        cprof_fail_for_good(error, "finished profiles: descriptor %d is of another version", fd);
        cprof_results_close(results);
        results = NULL;
    }
    return results;
}

void cprof_results_close(struct cprof_results *results)
{
    if (results) {
        (void)munmap(results, FILE_BYTES);
    }
}

static unsigned place_of(uint32_t kind)
{
    return kind == CPROF_KIND_CPU ? 0 : 1;
}

static size_t offset_of(unsigned place)
{
    return CPROF_RESULTS_BYTES_OFFSET + (size_t)place * CPROF_RESULT_BYTES_MAX;
}

/* A gateway that was killed here left the sequence odd: the next profile makes it even again. */
bool cprof_results_put(struct cprof_results *results, const struct cprof_result *head,
                       const uint8_t *bytes)
{
    unsigned place = place_of(head->kind);
    struct cprof_result *own = &results->heads[place];
    uint8_t *to = (uint8_t *)results + offset_of(place);
    uint32_t sequence;

    if (head->byte_count > CPROF_RESULT_BYTES_MAX || !cprof_pages_take(to, head->byte_count)) {
        return false;
    }
    sequence = atomic_load(&own->sequence) | 1u;
    atomic_store(&own->sequence, sequence);
    atomic_thread_fence(memory_order_seq_cst);
    own->kind = head->kind;
    own->start_unix_ns = head->start_unix_ns;
    own->duration_ns = head->duration_ns;
    own->finished_ns = head->finished_ns;
    own->byte_count = head->byte_count;
    memcpy(to, bytes, head->byte_count);
    atomic_thread_fence(memory_order_seq_cst);
    /* 0 means that there is none. */
    atomic_store(&own->sequence, sequence + 1 ? sequence + 1 : 2);
    return true;
}

bool cprof_results_copy(const struct cprof_results *results, enum cprof_kind kind,
                        uint64_t after_ns, struct cprof_result *head, uint8_t **bytes)
{
    unsigned place = place_of(kind);
    const struct cprof_result *own = &results->heads[place];
    uint32_t sequence = atomic_load(&own->sequence);

    *bytes = NULL;
    memcpy(head, own, sizeof(*head));
    if (sequence == 0 || sequence & 1 || head->kind != (uint32_t)kind ||
        head->finished_ns <= after_ns || head->byte_count > CPROF_RESULT_BYTES_MAX) {
        return false;
    }
    *bytes = malloc(head->byte_count ? head->byte_count : 1);
    if (!*bytes) {
        return false;
    }
    memcpy(*bytes, (const uint8_t *)results + offset_of(place), head->byte_count);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(&own->sequence) == sequence) {
        return true;
    }
    free(*bytes);
    *bytes = NULL;
    return false;
}
