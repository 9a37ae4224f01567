/* secret.h - memory that held a secret is wiped before it is given back.
 *
 * Callers   the rooms of gateway/credentials; main.c once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SECRET_H
#define CPROF_SECRET_H

/* Wipes a malloc'd text and frees it. NULL does nothing. */
void cprof_secret_free(char *text);

/* Makes jansson and OpenSSL wipe all memory that they free (libcurl's: gateway/http/client.h). To
 * be called once, before any other use of them. The memory stays malloc's: free() takes what
 * jansson returns, but does not wipe it. */
void cprof_secret_guard_libraries(void);

#endif
