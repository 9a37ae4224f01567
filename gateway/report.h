/* report.h - the command --html: profiles in one page that needs neither server nor network.
 *
 * The page is that of `make web` (cloudprofiler-web/report.html, beside the program), with the
 * profiles in it as they are, base64. It draws them itself. Its content security policy lets the
 * page's own script and styles run and nothing else, whatever stands in a profile.
 *
 * Callers   a program that only reads files.
 * Memory    all files at once, at most CPROF_REPORT_BYTES_MAX together.
 * Trust     files may come from anybody; each is read as a profile before it is taken.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_REPORT_H
#define CPROF_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "../shared/base/attributes.h"
#include "../shared/base/error.h"

/* A browser holds a page in memory, and base64 makes it a third larger. */
#define CPROF_REPORT_BYTES_MAX ((size_t)64 << 20)

/* Writes the page to out once all files are read. The error names the file that is wrong; nothing
 * is written then. */
bool cprof_report_write(FILE *out, char *const *paths, int path_count,
                        struct cprof_error *error) CPROF_MUST_USE;

#endif
