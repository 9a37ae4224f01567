/* test_trust.c - see gateway/http/trust.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../gateway/http/trust.h"
#include "expect.h"

#define SYSTEM_FILE "/etc/ssl/bundle.pem"

/* A new directory with one file of this name. */
static const char *directory_with(const char *name)
{
    static char directory[64];
    char path[512];
    FILE *file;

    (void)snprintf(directory, sizeof(directory), "/tmp/cprof-trust-XXXXXX");
    EXPECT(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "we");
    EXPECT(file && fclose(file) == 0);
    return directory;
}

static void remove_directory_with(const char *directory, const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    EXPECT(unlink(path) == 0 && rmdir(directory) == 0);
}

static void the_user_s_file_comes_first(void)
{
    struct cprof_http_trust trust = cprof_http_trust_choose("/own.pem", SYSTEM_FILE, "/");

    EXPECT(strcmp(trust.file, "/own.pem") == 0 && !trust.directory);
}

static void a_directory_of_hashes_comes_before_the_file(void)
{
    const char *directory = directory_with("5ed36f99.0");
    struct cprof_http_trust trust = cprof_http_trust_choose("", SYSTEM_FILE, directory);

    EXPECT(!trust.file && trust.directory == directory);
    remove_directory_with(directory, "5ed36f99.0");
}

static void a_directory_without_hashes_is_passed_over(void)
{
    static const char *const names[] = {"ca-certificates.crt", "5ed36f9.0",  "5ed36f99.r0",
                                        "5ed36f990.0",         "5ED36F99.0", "5ed36f99"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *directory = directory_with(names[i]);
        struct cprof_http_trust trust = cprof_http_trust_choose(NULL, SYSTEM_FILE, directory);

        EXPECT(strcmp(trust.file, SYSTEM_FILE) == 0 && !trust.directory);
        remove_directory_with(directory, names[i]);
    }
}

static void a_directory_that_is_not_there_is_passed_over(void)
{
    struct cprof_http_trust trust = cprof_http_trust_choose(NULL, SYSTEM_FILE, "/no/such/place");

    EXPECT(strcmp(trust.file, SYSTEM_FILE) == 0 && !trust.directory);
}

static void without_anything_the_file_is_none(void)
{
    struct cprof_http_trust trust = cprof_http_trust_choose(NULL, NULL, NULL);

    EXPECT(trust.file && !trust.file[0] && !trust.directory);
}

int main(void)
{
    RUN(the_user_s_file_comes_first);
    RUN(a_directory_of_hashes_comes_before_the_file);
    RUN(a_directory_without_hashes_is_passed_over);
    RUN(a_directory_that_is_not_there_is_passed_over);
    RUN(without_anything_the_file_is_none);
    return 0;
}
