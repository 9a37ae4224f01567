/* report.c - see report.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../shared/base/units.h"
#include "profile/kind.h"
#include "profile/pprof.h"
#include "profile/table.h"
#include "read_profile.h"
#include "web/read_file.h"

#define PAGE_DIRECTORY "cloudprofiler-web"
#define PAGE           "report.html"
#define PAGE_BYTES_MAX ((size_t)8 << 20)
#define MARK           "<!-- profiles -->"
#define PART_BYTES     3072u /* a multiple of 3, so that base64 of parts is base64 of the whole */

struct file {
    const char *name;
    enum cprof_kind kind;
    uint64_t start_unix_ms;
    uint8_t *bytes;
    size_t byte_count;
};

/* The page as `make web` made it, without its end: what follows the mark is *rest. */
static bool read_page(char **page, const char **rest, struct cprof_error *error)
{
    char path[PATH_MAX], *mark;
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - sizeof(PAGE_DIRECTORY));
    char *slash = NULL;
    uint8_t *bytes;
    size_t byte_count;

    *page = NULL;
    if (length > 0) {
        path[length] = '\0';
        slash = strrchr(path, '/');
    }
    if (!slash) {
        return cprof_fail_errno(error, errno, "cannot find this program's directory");
    }
    memcpy(slash + 1, PAGE_DIRECTORY, sizeof(PAGE_DIRECTORY));
    if (!cprof_web_read_file(&bytes, &byte_count, path, PAGE, PAGE_BYTES_MAX)) {
        return cprof_fail(error,
                          "the page %s/" PAGE " is not installed: `make web` makes the directory, "
                          "which belongs beside this program",
                          path);
    }
    *page = strndup((const char *)bytes, byte_count);
    free(bytes);
    mark = *page ? strstr(*page, MARK) : NULL;
    if (!mark) {
        return cprof_fail(error, "%s/" PAGE " is not the page that `make web` makes", path);
    }
    *mark = '\0';
    *rest = mark + strlen(MARK);
    return true;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool read_file(struct file *file, const char *path, struct cprof_error *error)
{
    struct cprof_error reason;
    struct cprof_table table;
    bool ok = cprof_read_profile(&file->bytes, &file->byte_count, path, error);

    if (!ok) {
        return false;
    }
    file->name = name_of(path);
    cprof_table_init(&table);
    if (!cprof_pprof_read(&table, file->bytes, file->byte_count, &reason)) {
        ok = cprof_fail(error, "cannot use %s: %s", path, reason.text);
    }
    file->kind = table.kind;
    file->start_unix_ms = table.time_unix_ns / NS_PER_MS;
    cprof_table_reset(&table);
    return ok;
}

static bool read_files(struct file *files, char *const *paths, int path_count,
                       struct cprof_error *error)
{
    size_t sum = 0;

    for (int i = 0; i < path_count; i++) {
        if (!read_file(&files[i], paths[i], error)) {
            return false;
        }
        sum += files[i].byte_count;
        if (sum > CPROF_REPORT_BYTES_MAX) {
            return cprof_fail(error, "%s: a page holds profiles of at most 64 MiB together",
                              paths[i]);
        }
    }
    return true;
}

static void write_base64(FILE *out, const uint8_t *bytes, size_t byte_count)
{
    unsigned char text[PART_BYTES / 3 * 4 + 1];

    for (size_t done = 0; done < byte_count; done += PART_BYTES) {
        size_t rest = byte_count - done;
        int part = (int)(rest < PART_BYTES ? rest : PART_BYTES);
        int length = EVP_EncodeBlock(text, bytes + done, part);

        (void)fwrite(text, 1, (size_t)length, out);
    }
}

/* A block of data, which no browser runs. In base64 nothing can end it. */
static void write_file(FILE *out, const struct file *file)
{
    (void)fprintf(out,
                  "<script type=\"application/octet-stream\" data-kind=\"%s\" data-start=\"%" PRIu64
                  "\" data-name=\"",
                  cprof_kind_name(file->kind), file->start_unix_ms);
    write_base64(out, (const uint8_t *)file->name, strlen(file->name));
    (void)fputs("\">", out);
    write_base64(out, file->bytes, file->byte_count);
    (void)fputs("</script>\n", out);
}

static bool write_all(FILE *out, const char *page, const char *rest, const struct file *files,
                      int count, struct cprof_error *error)
{
    (void)fputs(page, out);
    for (int i = 0; i < count; i++) {
        write_file(out, &files[i]);
    }
    (void)fputs(rest, out);
    if (fflush(out) != 0 || ferror(out)) {
        return cprof_fail_errno(error, errno, "cannot write the page");
    }
    return true;
}

bool cprof_report_write(FILE *out, char *const *paths, int path_count, struct cprof_error *error)
{
    struct file *files = calloc((size_t)path_count, sizeof(*files));
    const char *rest = NULL;
    char *page = NULL;
    bool ok;

    if (!files) {
        return cprof_fail(error, "no memory for %d files", path_count);
    }
    ok = read_page(&page, &rest, error) && read_files(files, paths, path_count, error) &&
         write_all(out, page, rest, files, path_count, error);
    for (int i = 0; i < path_count; i++) {
        free(files[i].bytes);
    }
    free(files);
    free(page);
    return ok;
}
