/* pages.h - asks for the memory of pages before they are written.
 *
 * The pages of a memory file are accounted one by one when they are first touched, not when the
 * file is sized or mapped. Where one cannot be had (vm.overcommit_memory = 2 near its limit, the
 * size of a tmpfs), whoever touches it through a mapping, for reading too, is killed by SIGBUS.
 * A system call that touches it on our behalf fails with EFAULT instead (mm/memory.c, futex(2)).
 *
 * Callers   whoever is about to write to shared memory that may have no page yet: handlers, the
 *           ticker, the gateway. Readers of such memory use pread, which needs no page.
 * Memory    what is there once stays, until the gateway gives the log back.
 * Cgroups   a page beyond memory.max is not refused: the kernel reclaims, then kills a process of
 *           the group, as for any page of the app.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PAGES_H
#define CPROF_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/attributes.h"

/* The smallest page of any machine. */
#define CPROF_PAGE_BYTES 4096u

/* Makes sure that `bytes` of a writable mapping from `start` on can be written, and changes none
 * of them. `start` is a multiple of 4. False: at least one page cannot be had now; errno says
 * why. Costs a system call a page, of about as much as the page fault that it stands for. */
CPROF_SIGSAFE bool cprof_pages_take(void *start, size_t bytes) CPROF_MUST_USE;

#endif
