/* test_pages.c - see shared/segment/pages.h, on pages that the kernel really refuses.
 *
 * sources: tests/unit/short_memory.c tests/unit/child.c
 * flags: -Wl,--wrap=syscall
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../shared/segment/pages.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "child.h"
#include "expect.h"
#include "short_memory.h"

#define PAGES 8u
#define BYTES (PAGES * (size_t)CPROF_PAGE_BYTES)

static struct short_memory memory;
static int refusal; /* errno of every system call; 0: as the kernel says */

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
    long words[6];
    va_list list;

    va_start(list, number);
    for (unsigned i = 0; i < 6; i++) {
        words[i] = va_arg(list, long);
    }
    va_end(list);
    if (refusal) {
        errno = refusal;
        return -1;
    }
    return __real_syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

static uint8_t *page(unsigned index)
{
    return (uint8_t *)memory.start + index * (size_t)CPROF_PAGE_BYTES;
}

static void pages_are_there_when_they_were_taken(void)
{
    short_memory_open(&memory, BYTES);
    short_memory_allow(&memory, BYTES);
    EXPECT(cprof_pages_take(page(1), 3 * (size_t)CPROF_PAGE_BYTES));
    EXPECT(short_memory_used(&memory) == 3 * (size_t)CPROF_PAGE_BYTES);
    EXPECT(cprof_pages_take(page(1), 3 * (size_t)CPROF_PAGE_BYTES));
    EXPECT(short_memory_used(&memory) == 3 * (size_t)CPROF_PAGE_BYTES);
    short_memory_close(&memory);
}

static void every_page_that_the_range_touches_is_taken(void)
{
    short_memory_open(&memory, BYTES);
    short_memory_allow(&memory, BYTES);
    EXPECT(cprof_pages_take(page(3) - 4, 8));
    EXPECT(short_memory_used(&memory) == 2 * (size_t)CPROF_PAGE_BYTES);
    EXPECT(cprof_pages_take(page(6), 1));
    EXPECT(cprof_pages_take(page(7), 0));
    EXPECT(short_memory_used(&memory) == 3 * (size_t)CPROF_PAGE_BYTES);
    short_memory_close(&memory);
}

static void what_stands_there_stays(void)
{
    short_memory_open(&memory, BYTES);
    short_memory_allow(&memory, BYTES);
    for (size_t i = 0; i < BYTES; i++) {
        page(0)[i] = (uint8_t)(i * 7);
    }
    EXPECT(cprof_pages_take(page(0), BYTES));
    for (size_t i = 0; i < BYTES; i++) {
        EXPECT(page(0)[i] == (uint8_t)(i * 7));
    }
    short_memory_close(&memory);
}

static void write_to_refused_page(void *unused)
{
    (void)unused;
    *(volatile uint8_t *)page(2) = 1;
}

static void a_page_that_cannot_be_had_is_refused_until_it_can(void)
{
    short_memory_open(&memory, BYTES);
    short_memory_allow(&memory, 2 * (size_t)CPROF_PAGE_BYTES);
    EXPECT(child_run(write_to_refused_page, NULL) == 128 + SIGBUS);

    EXPECT(cprof_pages_take(page(0), 2 * (size_t)CPROF_PAGE_BYTES));
    EXPECT(!cprof_pages_take(page(0), 3 * (size_t)CPROF_PAGE_BYTES) && errno == EFAULT);
    EXPECT(!cprof_pages_take(page(2), 1) && errno == EFAULT);

    short_memory_allow(&memory, BYTES);
    EXPECT(cprof_pages_take(page(2), 1));
    write_to_refused_page(NULL);
    short_memory_close(&memory);
}

static void memory_that_cannot_be_written_is_refused(void)
{
    short_memory_open(&memory, BYTES);
    short_memory_allow(&memory, BYTES);
    EXPECT(mprotect(memory.start, BYTES, PROT_READ) == 0);
    EXPECT(!cprof_pages_take(page(0), 1));
    short_memory_close(&memory);
}

static void a_question_that_nobody_answers_refuses_nothing(void)
{
    static const int refusals[] = {ENOSYS, EPERM};

    short_memory_open(&memory, BYTES);
    for (unsigned i = 0; i < 2; i++) {
        refusal = refusals[i];
        EXPECT(cprof_pages_take(page(0), BYTES));
    }
    refusal = ENOMEM;
    EXPECT(!cprof_pages_take(page(0), 1));
    refusal = 0;
    short_memory_close(&memory);
}

int main(void)
{
    RUN(pages_are_there_when_they_were_taken);
    RUN(every_page_that_the_range_touches_is_taken);
    RUN(what_stands_there_stays);
    RUN(a_page_that_cannot_be_had_is_refused_until_it_can);
    RUN(memory_that_cannot_be_written_is_refused);
    RUN(a_question_that_nobody_answers_refuses_nothing);
    return 0;
}
