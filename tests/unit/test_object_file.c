/* test_object_file.c - see gateway/symbols/object_file.h. The files are this test program, whole
 * and spoilt.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/symbols/object_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expect.h"

#define SPOILT_ROUNDS 300u
#define SPOILT_WORDS  24u

static char directory[] = "/tmp/cprof-object-XXXXXX";
static struct cprof_object object;

static char *path_of(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static bool read_path(const char *path)
{
    struct stat status;
    int found = cprof_object_find(path, &status);
    bool ok = found >= 0 && cprof_object_read(&object, found, SIZE_MAX);

    if (found >= 0) {
        (void)close(found);
    }
    return ok;
}

/* The bytes of this program, which the caller frees. */
static uint8_t *own_bytes(size_t *count)
{
    FILE *file = fopen("/proc/self/exe", "re");
    uint8_t *bytes;

    EXPECT(file && fseek(file, 0, SEEK_END) == 0);
    *count = (size_t)ftell(file);
    bytes = malloc(*count);
    EXPECT(bytes && fseek(file, 0, SEEK_SET) == 0 && fread(bytes, 1, *count, file) == *count);
    EXPECT(fclose(file) == 0);
    return bytes;
}

static void write_file(const char *path, const uint8_t *bytes, size_t count)
{
    FILE *file = fopen(path, "we");

    EXPECT(file && fwrite(bytes, 1, count, file) == count && fclose(file) == 0);
}

/* Asks for as much as there is; nothing may be out of bounds, which the sanitizer sees. */
static void look_at_all(void)
{
    struct cprof_object_function function;
    uint64_t address;

    for (uint64_t at = 0; at < 0x40000; at += 61) {
        if (cprof_object_address(&object, at, &address) &&
            cprof_object_function(&object, address, &function)) {
            EXPECT(strlen(function.name) < CPROF_OBJECT_NAME_BYTES);
            EXPECT(function.address <= address);
        }
    }
}

static void a_program_tells_its_functions(void)
{
    char path[4096];
    ssize_t bytes = readlink("/proc/self/exe", path, sizeof(path) - 1);

    EXPECT(bytes > 0);
    path[bytes] = '\0';
    EXPECT(read_path(path));
    EXPECT(strlen(object.build_id) >= 32 && object.segment_count >= 1 && object.symbol_count > 0);
    look_at_all();
    cprof_object_reset(&object);
}

static void what_is_no_regular_file_is_not_opened(void)
{
    struct stat status;

    EXPECT(mkfifo(path_of("fifo"), 0600) == 0);
    EXPECT(cprof_object_find(path_of("fifo"), &status) < 0);
    EXPECT(symlink("/proc/self/exe", path_of("link")) == 0);
    EXPECT(cprof_object_find(path_of("link"), &status) < 0);
    EXPECT(cprof_object_find("/dev/null", &status) < 0);
    EXPECT(cprof_object_find(directory, &status) < 0);
    EXPECT(cprof_object_find(path_of("nothing"), &status) < 0);
}

static void what_is_no_object_file_is_refused(void)
{
    static const uint8_t text[] = "a text";

    write_file(path_of("text"), text, sizeof(text));
    EXPECT(!read_path(path_of("text")));
    write_file(path_of("empty"), text, 0);
    EXPECT(!read_path(path_of("empty")));
    EXPECT(object.symbols == NULL && object.text == NULL);
}

/* Cut off anywhere, and with words replaced in the headers, at random but the same each time. */
static void a_file_that_lies_does_no_harm(void)
{
    static const uint64_t words[] = {0, 1, UINT32_MAX, UINT64_MAX, UINT64_C(1) << 40, 0x7fffffff};
    size_t count;
    uint8_t *whole = own_bytes(&count), *spoilt = malloc(count);
    unsigned seed = 1;

    EXPECT(spoilt != NULL);
    for (unsigned round = 0; round < SPOILT_ROUNDS; round++) {
        size_t cut = round % 3 == 0 ? (size_t)rand_r(&seed) % count : count;
        size_t tail = count - 64 * 64; /* the section headers stand at the end */

        memcpy(spoilt, whole, count);
        for (unsigned i = 0; i < SPOILT_WORDS; i++) {
            size_t at = (size_t)rand_r(&seed) % (i % 2 ? 2048 : count - tail - 8);

            memcpy(spoilt + (i % 2 ? 16 + at : tail + at),
                   &words[(unsigned)rand_r(&seed) % (sizeof(words) / sizeof(words[0]))],
                   i % 3 ? 8 : 4);
        }
        write_file(path_of("spoilt"), spoilt, cut);
        if (read_path(path_of("spoilt"))) {
            look_at_all();
        }
        cprof_object_reset(&object);
    }
    free(spoilt);
    free(whole);
}

static void remove_all(void)
{
    static const char *const names[] = {"fifo", "link", "text", "empty", "spoilt"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        EXPECT(unlink(path_of(names[i])) == 0);
    }
    EXPECT(rmdir(directory) == 0);
}

int main(void)
{
    EXPECT(mkdtemp(directory) != NULL);
    RUN(a_program_tells_its_functions);
    RUN(what_is_no_regular_file_is_not_opened);
    RUN(what_is_no_object_file_is_refused);
    RUN(a_file_that_lies_does_no_harm);
    remove_all();
    return 0;
}
