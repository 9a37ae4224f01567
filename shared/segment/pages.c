/* pages.c - see pages.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "pages.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Adds nothing to a word: one atomic access for writing, by the kernel. Nobody waits on the word,
 * so nobody is woken. Who refuses the question itself has not refused the page. */
static bool take_page(void *word)
{
    const int add_nothing = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0);

    return syscall(SYS_futex, word, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, NULL, word,
                   add_nothing) >= 0 ||
           (errno != EFAULT && errno != ENOMEM);
}

bool cprof_pages_take(void *start, size_t bytes)
{
    uintptr_t at = (uintptr_t)start, end = at + bytes;

    while (at < end) {
        if (!take_page((void *)at)) {
            return false;
        }
        at = (at / CPROF_PAGE_BYTES + 1) * CPROF_PAGE_BYTES;
    }
    return true;
}
