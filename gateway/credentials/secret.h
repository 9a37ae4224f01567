/* secret.h - memory that held a secret is wiped before it is given back.
 *
 * Callers   the gateway's start, once, for cprof_secret_guard_libraries; else its thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SECRET_H
#define CPROF_SECRET_H

/* Wipes a malloc'd text and frees it. NULL does nothing. */
void cprof_secret_free(char *text);

/* Replaces each quotation of `secret` in `text` by "[...]", in place. A quotation is what begins
 * with its first 16 bytes, or all of a shorter one, as far as the two are the same: a text may have
 * been cut. A secret of less than five bytes is none. */
void cprof_secret_hide(char *text, const char *secret);

/* Makes jansson and OpenSSL wipe all memory that they free (libcurl's: gateway/http/client.h). To
 * be called once, before any other use of them. The memory stays malloc's: free() takes what
 * jansson returns, but does not wipe it. */
void cprof_secret_guard_libraries(void);

#endif
