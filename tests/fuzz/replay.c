/* replay.c - runs a fuzz target on files, and on nothing at all.
 *
 * usage: fuzz_NAME FILE...
 *
 * Each file's bytes stand in memory of exactly their size, so that the address sanitizer sees a
 * read behind their end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/expect.h"
#include "fuzz.h"

#define INPUT_BYTES_MAX (4u << 20)

static void run(const char *path)
{
    FILE *file = fopen(path, "re");
    uint8_t *bytes = malloc(INPUT_BYTES_MAX), *input;
    size_t size;

    if (!file || !bytes) {
        perror(path);
        exit(1);
    }
    size = fread(bytes, 1, INPUT_BYTES_MAX, file);
    (void)fclose(file);
    input = realloc(bytes, size > 0 ? size : 1);
    EXPECT(input);
    (void)LLVMFuzzerTestOneInput(input, size);
    free(input);
}

int main(int argc, char **argv)
{
    (void)LLVMFuzzerTestOneInput(NULL, 0);
    for (int i = 1; i < argc; i++) {
        (void)fprintf(stderr, "%s\n", argv[i]); /* the last line names the one that fails */
        run(argv[i]);
    }
    return 0;
}
