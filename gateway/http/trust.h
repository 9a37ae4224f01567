/* trust.h - where the certificates of the authorities are that a TLS server is judged by.
 *
 * Callers   the gateway's thread, before each call: an image may get its certificates while the
 *           gateway runs.
 * Choice    the file that the user named; else libcurl's own directory, if it is one that OpenSSL
 *           looks certificates up in one by one (by hash); else libcurl's own file. Debian's file
 *           of 140 certificates costs the gateway 0.85 MiB and is parsed for each new connection;
 *           of the directory the one certificate is read that is needed.
 * Missing   a file that is not there is chosen nevertheless: libcurl says so if it needs it, and
 *           goes on without while a connection is open.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_HTTP_TRUST_H
#define CPROF_HTTP_TRUST_H

/* One of the two is set; both are borrowed from what cprof_http_trust_choose was given. */
struct cprof_http_trust {
    const char *file;
    const char *directory;
};

/* `user_file`, `system_file` and `system_directory` may be NULL or empty. Without any of them the
 * file is "": none. */
struct cprof_http_trust cprof_http_trust_choose(const char *user_file, const char *system_file,
                                                const char *system_directory);

#endif
