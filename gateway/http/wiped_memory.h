/* wiped_memory.h - memory of libraries is wiped before it is given back: it may have held a secret.
 *
 * Callers   the gateway's threads, those of libcurl's resolver too.
 * Memory    malloc's, all of it.
 * Cost      a wipe of what is freed, and a copy where realloc might have grown a block in place.
 * Limits    nghttp2, which libcurl speaks HTTP/2 with, takes its memory from malloc itself. The
 *           kernel's buffers and the stack are not reached.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WIPED_MEMORY_H
#define CPROF_WIPED_MEMORY_H

#include <stdbool.h>

#include "../../shared/base/attributes.h"

/* free() for any memory of malloc's, wiped first. NULL does nothing. */
void cprof_wiped_free(void *memory);

/* curl_global_init, with all memory of libcurl wiped. As there, the first call of a process
 * decides, and each one that succeeds needs a curl_global_cleanup. False: libcurl cannot start. */
bool cprof_wiped_start_libcurl(void) CPROF_MUST_USE;

/* Has all memory of OpenSSL wiped. To be called before anything else uses OpenSSL; after that it
 * changes nothing and returns false. */
bool cprof_wiped_guard_openssl(void) CPROF_MUST_USE;

#endif
