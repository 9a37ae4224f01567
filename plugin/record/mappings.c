/* mappings.c - see mappings.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mappings.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "known_text.h"

/* Lines are read through a buffer; a longer one, of a path beyond all bounds, is left out. */
#define LINE_BYTES 4608u

/* Looks in a row that found nothing new before they are given up for the epoch: memory may hold
 * code for a moment only. */
#define VAIN_LOOKS_MAX 10u

/* By which a mapping is recognised. */
struct identity {
    uint64_t start, end, file_offset, inode;
};

static struct {
    struct identity known[CPROF_MAPPINGS_MAX];
    uint32_t known_count;
    uint32_t incarnation;
    uint32_t vain_looks;
} mappings;

/* A line of /proc/self/maps (proc(5)). */
struct line {
    struct cprof_mapping_record mapping;
    const char *path; /* not terminated */
};

void cprof_mappings_begin(uint32_t incarnation)
{
    mappings.known_count = 0;
    mappings.incarnation = incarnation;
    mappings.vain_looks = 0;
    cprof_known_text_begin();
}

/* A number in front of `end_mark`; moves *text behind that. */
static bool parse_number(const char **text, int base, char end_mark, uint64_t *number)
{
    char *end;

    *number = strtoull(*text, &end, base);
    if (end == *text || *end != end_mark) {
        return false;
    }
    *text = end + 1;
    return true;
}

/* "7f01-7f02 r-xp 00001000 fe:01 4711      /usr/lib/libz.so.1". False: not executable, or no such
 * line. */
static bool parse_line(const char *text, struct line *line)
{
    struct cprof_mapping_record *mapping = &line->mapping;
    uint64_t major, minor;
    size_t path_bytes;
    char *behind_inode;

    *mapping = (struct cprof_mapping_record){0};
    if (!parse_number(&text, 16, '-', &mapping->start) ||
        !parse_number(&text, 16, ' ', &mapping->end) || strnlen(text, 5) < 5 || text[2] != 'x') {
        return false;
    }
    text += 5;
    if (!parse_number(&text, 16, ' ', &mapping->file_offset) ||
        !parse_number(&text, 16, ':', &major) || !parse_number(&text, 16, ' ', &minor)) {
        return false;
    }
    mapping->device_major = (uint32_t)major;
    mapping->device_minor = (uint32_t)minor;
    mapping->inode = strtoull(text, &behind_inode, 10);
    text = behind_inode + strspn(behind_inode, " ");
    path_bytes = strlen(text);
    line->path = text;
    mapping->path_bytes = (uint16_t)(path_bytes <= CPROF_MAPPING_PATH_BYTES_MAX ? path_bytes : 0);
    return true;
}

static bool is_known(const struct cprof_mapping_record *mapping)
{
    for (uint32_t i = 0; i < mappings.known_count; i++) {
        const struct identity *known = &mappings.known[i];

        if (known->start == mapping->start && known->end == mapping->end &&
            known->file_offset == mapping->file_offset && known->inode == mapping->inode) {
            return true;
        }
    }
    return false;
}

static bool write_record(struct cprof_context *context, const struct line *line)
{
    uint32_t path_bytes = line->mapping.path_bytes;
    struct cprof_mapping_record *to = cprof_log_reserve(&context->writer, CPROF_RECORD_MAPPING,
                                                        (uint32_t)sizeof(*to) + path_bytes);
    struct cprof_record head;

    if (!to) {
        return false;
    }
    head = to->record;
    *to = line->mapping;
    to->record = head;
    to->incarnation = mappings.incarnation;
    memcpy(to + 1, line->path, path_bytes);
    (void)cprof_log_publish(&context->writer);
    return true;
}

/* Returns whether the line described something new. `data`: the context to write with. */
static bool take_line(const char *text, void *data)
{
    struct cprof_context *context = data;
    struct line line;

    if (!parse_line(text, &line) || is_known(&line.mapping) ||
        mappings.known_count == CPROF_MAPPINGS_MAX || !write_record(context, &line)) {
        return false;
    }
    mappings.known[mappings.known_count++] = (struct identity){
        .start = line.mapping.start,
        .end = line.mapping.end,
        .file_offset = line.mapping.file_offset,
        .inode = line.mapping.inode,
    };
    (void)cprof_known_text_add((uintptr_t)line.mapping.start, (uintptr_t)line.mapping.end);
    return true;
}

/* Something that is done with each line; whether it was of use. */
struct visitor {
    bool (*take)(const char *text, void *data);
    void *data;
};

/* Takes the whole lines of the buffer; returns how many bytes they had. */
static size_t take_lines(const struct visitor *visitor, char *text, size_t bytes, bool *was_of_use)
{
    size_t done = 0;
    char *end;

    while ((end = memchr(text + done, '\n', bytes - done)) != NULL) {
        *end = '\0';
        *was_of_use |= visitor->take(text + done, visitor->data);
        done = (size_t)(end - text) + 1;
    }
    return done;
}

/* Returns whether any line was of use. */
static bool read_file(const struct visitor *visitor, int file)
{
    static char text[2 * LINE_BYTES];
    size_t held = 0;
    ssize_t got;
    bool was_of_use = false;

    while ((got = read(file, text + held, sizeof(text) - held)) > 0) {
        size_t done;

        held += (size_t)got;
        done = take_lines(visitor, text, held, &was_of_use);
        held -= done;
        if (held > LINE_BYTES) {
            held = 0;
        }
        memmove(text, text + done, held);
    }
    return was_of_use;
}

/* False also if there is no such file. */
static bool visit_lines(const struct visitor *visitor)
{
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    bool was_of_use;

    if (file < 0) {
        return false;
    }
    was_of_use = read_file(visitor, file);
    (void)close(file);
    return was_of_use;
}

static void describe(struct cprof_recorder *recorder)
{
    struct cprof_context *context = cprof_context_acquire(recorder);
    struct visitor visitor = {.take = take_line, .data = context};

    if (!context) {
        return;
    }
    mappings.vain_looks = visit_lines(&visitor) ? 0 : mappings.vain_looks + 1;
    cprof_context_release(context);
}

/* Whose code lies at an address. */
struct search {
    uintptr_t address;
    char *path;
    size_t path_bytes;
};

static bool search_line(const char *text, void *data)
{
    const struct search *search = data;
    struct line line;

    if (!parse_line(text, &line) || search->address < line.mapping.start ||
        search->address >= line.mapping.end || line.path[0] != '/') {
        return false;
    }
    (void)snprintf(search->path, search->path_bytes, "%s", line.path);
    return true;
}

bool cprof_mappings_find(uintptr_t address, char *path, size_t path_bytes)
{
    struct search search = {.address = address, .path = path, .path_bytes = path_bytes};

    return visit_lines(&(struct visitor){.take = search_line, .data = &search});
}

void cprof_mappings_look(struct cprof_recorder *recorder)
{
    if (mappings.vain_looks < VAIN_LOOKS_MAX && cprof_known_text_is_asked_for()) {
        describe(recorder);
    }
}

void cprof_mappings_finish(struct cprof_recorder *recorder)
{
    if (atomic_load(&recorder->leaf_count) > 0) {
        describe(recorder);
    }
}
