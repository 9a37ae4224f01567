/* request.h - one HTTP request and its answer, as the routes see them.
 *
 * A route answers at once or later: a request without an answer when its route returns waits, and
 * the connection with it, until somebody answers.
 *
 * Callers   the gateway's thread.
 * Memory    texts of the request live until its end. An answer's bytes become the request's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_REQUEST_H
#define CPROF_WEB_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"

#define CPROF_WEB_BODY_BYTES_MAX 4096u

struct cprof_web_request;

const char *cprof_web_method(const struct cprof_web_request *request); /* "GET", "HEAD", "POST" */
const char *cprof_web_path(const struct cprof_web_request *request);   /* decoded, without query */

/* A parameter of the query, or of the body of a form; NULL: it was not given. */
const char *cprof_web_parameter(const struct cprof_web_request *request, const char *name);

/* Calls each(context, name, value) for all parameters of the query until it returns false. */
void cprof_web_each_parameter(const struct cprof_web_request *request,
                              bool (*each)(void *context, const char *name, const char *value),
                              void *context);

/* Answers. bytes were malloc'd and become the request's; media_type is not copied. Only the first
 * answer of a request counts. */
void cprof_web_answer(struct cprof_web_request *request, unsigned status, const char *media_type,
                      uint8_t *bytes, size_t byte_count);

/* Answers with one line of text. */
void cprof_web_answer_line(struct cprof_web_request *request, unsigned status, const char *format,
                           ...) CPROF_PRINTF(3, 4);

/* For an answer that is saved as a file: its name, of plain characters; copied. */
void cprof_web_name_file(struct cprof_web_request *request, const char *name);

/* gone(context) is called if the request ends before it is answered: its client went away or the
 * server ends. It must not be answered any more then. Takes the place of one given before. */
void cprof_web_on_gone(struct cprof_web_request *request, void (*gone)(void *context),
                       void *context);

/* late(context of cprof_web_on_gone) is called, once, if it is not answered within so many seconds,
 * or one more; it answers. */
void cprof_web_on_late(struct cprof_web_request *request, unsigned seconds,
                       void (*late)(void *context));

#endif
