/* subject_token.h - the token of another identity provider, as its file or its server gives it.
 *
 * Callers   the gateway's thread. Pure.
 * Trust     the text may be anything.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SUBJECT_TOKEN_H
#define CPROF_SUBJECT_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "token_answer.h"

/* Takes the token out of the text. field: its name in a JSON object; empty: the text is the token
 * as it is, but for a line end that an editor or `echo` left behind it. `origin` names the text in
 * errors: a path or a server; it is put first. The caller wipes `token`. */
bool cprof_subject_token_read(char token[CPROF_TOKEN_BYTES], const char *text, size_t text_bytes,
                              const char *field, const char *origin,
                              struct cprof_error *error) CPROF_MUST_USE;

#endif
