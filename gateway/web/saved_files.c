/* saved_files.c - see saved_files.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "saved_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../profile/pprof.h"
#include "read_file.h"

/* A directory may hold a million files; only so many are looked at. */
#define FILES_SHOWN_MAX 200u
#define FILES_LOOKED_AT 20000u

static int newer_first(const void *left, const void *right)
{
    const struct cprof_saved_file *a = left, *b = right;

    return (a->name.start_unix_ms < b->name.start_unix_ms) -
           (a->name.start_unix_ms > b->name.start_unix_ms);
}

static void read_names(struct cprof_saved_list *list, const struct cprof_output *output, DIR *names,
                       uint64_t before_unix_ms)
{
    for (struct dirent *entry; list->count < FILES_LOOKED_AT && (entry = readdir(names));) {
        struct cprof_saved_file file = {.text = NULL};

        if (cprof_directory_read_name(&file.name, output, entry->d_name) &&
            file.name.start_unix_ms < before_unix_ms) {
            file.text = strdup(entry->d_name);
        }
        if (file.text) {
            list->files[list->count++] = file;
        }
    }
}

/* Keeps the first that are files. */
static void keep_files(struct cprof_saved_list *list, DIR *names)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct cprof_saved_file *file = &list->files[i];
        struct stat status;

        if (kept < FILES_SHOWN_MAX &&
            fstatat(dirfd(names), file->text, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode)) {
            file->byte_count = (uint64_t)status.st_size;
            list->files[kept++] = *file;
        } else {
            free(file->text);
        }
    }
    list->count = kept;
}

void cprof_saved_list_read(struct cprof_saved_list *list, const struct cprof_config *config,
                           const struct cprof_output *output, uint64_t before_unix_ms)
{
    DIR *names = output ? opendir(config->output_dir) : NULL;

    *list = (struct cprof_saved_list){.files = names ? calloc(FILES_LOOKED_AT, sizeof(*list->files))
                                                     : NULL};
    if (names && list->files) {
        read_names(list, output, names, before_unix_ms);
        qsort(list->files, list->count, sizeof(*list->files), newer_first);
        keep_files(list, names);
    }
    if (names) {
        (void)closedir(names);
    }
}

void cprof_saved_list_reset(struct cprof_saved_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->files[i].text);
    }
    free(list->files);
    *list = (struct cprof_saved_list){0};
}

bool cprof_saved_file_read(uint8_t **bytes, size_t *byte_count, const struct cprof_config *config,
                           const struct cprof_output *output, const char *name)
{
    struct cprof_directory_name ignored;

    *bytes = NULL;
    return output && cprof_directory_read_name(&ignored, output, name) &&
           cprof_web_read_file(bytes, byte_count, config->output_dir, name,
                               CPROF_PPROF_FILE_BYTES_MAX);
}
