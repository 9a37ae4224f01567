/* symbols.c - see symbols.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "symbols.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define OBJECTS_MAX 512u
#define ANSWERS_MAX 1024u

#define OVERLAYFS_MAGIC 0x794c7630 /* linux/magic.h */

/* A file that was read, and how it looked then. */
struct known_object {
    dev_t device;
    ino_t inode;
    off_t bytes;
    struct timespec modified, changed;
    struct cprof_object object;
    bool is_elf;
};

/* What was said of a mapped file in this harvest. */
struct answer {
    char *path;
    uint64_t inode;
    uint32_t device_major, device_minor;
    const struct cprof_object *object;
};

struct cprof_symbols {
    struct known_object *objects[OBJECTS_MAX];
    size_t object_count;
    size_t bytes, bytes_max;
    struct answer answers[ANSWERS_MAX];
    size_t answer_count;
};

struct cprof_symbols *cprof_symbols_create(size_t bytes_max)
{
    struct cprof_symbols *symbols = calloc(1, sizeof(*symbols));

    if (symbols) {
        symbols->bytes_max =
            bytes_max < CPROF_SYMBOLS_BYTES_MAX ? bytes_max : CPROF_SYMBOLS_BYTES_MAX;
    }
    return symbols;
}

static void forget_answers(struct cprof_symbols *symbols)
{
    for (size_t i = 0; i < symbols->answer_count; i++) {
        free(symbols->answers[i].path);
    }
    symbols->answer_count = 0;
}

static void forget_objects(struct cprof_symbols *symbols)
{
    for (size_t i = 0; i < symbols->object_count; i++) {
        cprof_object_reset(&symbols->objects[i]->object);
        free(symbols->objects[i]);
    }
    symbols->object_count = 0;
    symbols->bytes = 0;
}

void cprof_symbols_free(struct cprof_symbols *symbols)
{
    if (symbols) {
        forget_answers(symbols);
        forget_objects(symbols);
        free(symbols);
    }
}

void cprof_symbols_begin(struct cprof_symbols *symbols)
{
    forget_answers(symbols);
    if (symbols->bytes > symbols->bytes_max || symbols->object_count == OBJECTS_MAX) {
        forget_objects(symbols);
    }
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static struct known_object *find_object(const struct cprof_symbols *symbols,
                                        const struct stat *status)
{
    for (size_t i = 0; i < symbols->object_count; i++) {
        struct known_object *known = symbols->objects[i];

        if (known->device == status->st_dev && known->inode == status->st_ino &&
            known->bytes == status->st_size && is_same_time(&known->modified, &status->st_mtim) &&
            is_same_time(&known->changed, &status->st_ctim)) {
            return known;
        }
    }
    return NULL;
}

static struct known_object *read_object(struct cprof_symbols *symbols, int found,
                                        const struct stat *status)
{
    bool has_room = symbols->object_count < OBJECTS_MAX && symbols->bytes <= symbols->bytes_max;
    struct known_object *known = has_room ? calloc(1, sizeof(*known)) : NULL;

    if (!known) {
        return NULL;
    }
    known->device = status->st_dev;
    known->inode = status->st_ino;
    known->bytes = status->st_size;
    known->modified = status->st_mtim;
    known->changed = status->st_ctim;
    known->is_elf = cprof_object_read(&known->object, found, symbols->bytes_max / 2);
    symbols->objects[symbols->object_count++] = known;
    symbols->bytes += known->object.memory_bytes;
    return known;
}

static bool is_overlay(int found)
{
    struct statfs status;

    return fstatfs(found, &status) == 0 && status.f_type == OVERLAYFS_MAGIC;
}

static bool is_the_mapped(const struct cprof_mapped_file *file, int found,
                          const struct stat *status)
{
    return status->st_ino == file->inode &&
           (status->st_dev == makedev(file->device_major, file->device_minor) || is_overlay(found));
}

static const struct cprof_object *ask(struct cprof_symbols *symbols,
                                      const struct cprof_mapped_file *file)
{
    struct known_object *known = NULL;
    struct stat status;
    int found = cprof_object_find(file->path, &status);

    if (found < 0) {
        return NULL;
    }
    if (is_the_mapped(file, found, &status)) {
        known = find_object(symbols, &status);
        known = known ? known : read_object(symbols, found, &status);
    }
    (void)close(found);
    return known && known->is_elf ? &known->object : NULL;
}

static bool is_answer(const struct answer *answer, const struct cprof_mapped_file *file)
{
    return answer->inode == file->inode && answer->device_major == file->device_major &&
           answer->device_minor == file->device_minor && strcmp(answer->path, file->path) == 0;
}

const struct cprof_object *cprof_symbols_of(struct cprof_symbols *symbols,
                                            const struct cprof_mapped_file *file)
{
    struct answer *answer;

    for (size_t i = 0; i < symbols->answer_count; i++) {
        if (is_answer(&symbols->answers[i], file)) {
            return symbols->answers[i].object;
        }
    }
    if (symbols->answer_count == ANSWERS_MAX) {
        return NULL;
    }
    answer = &symbols->answers[symbols->answer_count];
    *answer = (struct answer){
        .path = strdup(file->path),
        .inode = file->inode,
        .device_major = file->device_major,
        .device_minor = file->device_minor,
    };
    if (!answer->path) {
        return NULL;
    }
    symbols->answer_count++;
    answer->object = ask(symbols, file);
    return answer->object;
}
