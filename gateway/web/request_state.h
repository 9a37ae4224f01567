/* request_state.h - what a request is made of. Private to server.c and request.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_REQUEST_STATE_H
#define CPROF_WEB_REQUEST_STATE_H

#include <microhttpd.h>

#include "request.h"

#define CPROF_WEB_FORM_FIELDS_MAX 8u
#define CPROF_WEB_FIELD_BYTES     128u

struct cprof_web_field {
    char name[CPROF_WEB_FIELD_BYTES];
    char value[CPROF_WEB_FIELD_BYTES];
};

struct cprof_web_request {
    struct MHD_Connection *connection;
    const char *method, *path;

    /* The body, if it is a form. */
    struct MHD_PostProcessor *form;
    struct cprof_web_field fields[CPROF_WEB_FORM_FIELDS_MAX];
    unsigned field_count;
    size_t body_bytes;

    bool routed;   /* a route has seen it */
    bool waiting;  /* and its connection is suspended until there is an answer */
    bool answered; /* what follows is set */
    unsigned status;
    const char *media_type;
    uint8_t *bytes;
    size_t byte_count;
    char file_name[256];

    void (*gone)(void *context);
    void *gone_context;
    void (*late)(void *context); /* likewise; NULL: it may wait as long as it takes */
    uint64_t late_ns;
    /* The server's: lets the connection of an answer that came late go on. */
    void (*resume)(struct cprof_web_request *request);
    void *resume_context;
};

/* Tells whoever still wants to answer that nobody listens. */
void cprof_web_request_give_up(struct cprof_web_request *request);

/* Tells whoever wanted to answer by now that it is late. */
void cprof_web_request_look(struct cprof_web_request *request, uint64_t now_ns);

/* Ends it, given up if need be. */
void cprof_web_request_free(struct cprof_web_request *request);

/* A part of a form's field; false: too long, too many, or without a name (NULL: multipart/form-data
 * may leave it out). */
bool cprof_web_request_add_field(struct cprof_web_request *request, const char *name,
                                 const char *part, size_t offset, size_t bytes) CPROF_MUST_USE;

#endif
