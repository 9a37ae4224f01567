/* test_symbols.c - see gateway/symbols/symbols.h; tests/unit/test_native.c has the rest.
 *
 * sources: gateway/symbols/symbols.c gateway/symbols/object_file.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/symbols/symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "expect.h"

#define FILES         12u
#define SYMBOL_BYTES  ((UINT64_C(1) << 19) * sizeof(Elf64_Sym))
#define TEXT_BYTES    (UINT64_C(16) << 20)
#define SYMBOL_OFFSET UINT64_C(4096)
#define TEXT_OFFSET   (SYMBOL_OFFSET + SYMBOL_BYTES)

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#else
#define OWN_MACHINE EM_AARCH64
#endif

/* The start of a file that is small on disk and as large as is believed when it is read. */
struct file_start {
    Elf64_Ehdr header;
    Elf64_Shdr sections[3];
};

static const struct file_start start = {
    .header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
               .e_type = ET_DYN,
               .e_machine = OWN_MACHINE,
               .e_version = EV_CURRENT,
               .e_shoff = offsetof(struct file_start, sections),
               .e_ehsize = sizeof(Elf64_Ehdr),
               .e_shentsize = sizeof(Elf64_Shdr),
               .e_shnum = 3},
    .sections = {{0},
                 {.sh_type = SHT_SYMTAB,
                  .sh_offset = SYMBOL_OFFSET,
                  .sh_size = SYMBOL_BYTES,
                  .sh_link = 2,
                  .sh_addralign = 8,
                  .sh_entsize = sizeof(Elf64_Sym)},
                 {.sh_type = SHT_STRTAB,
                  .sh_offset = TEXT_OFFSET,
                  .sh_size = TEXT_BYTES,
                  .sh_addralign = 1}},
};
static const Elf64_Sym function = {
    .st_name = 1, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 16, .st_size = 16};

static void write_at(int file, const void *bytes, size_t count, uint64_t offset)
{
    EXPECT(pwrite(file, bytes, count, (off_t)offset) == (ssize_t)count);
}

/* Asks for a new file, which is gone afterwards. NULL: it was not read. */
static const struct cprof_object *ask(struct cprof_symbols *symbols)
{
    char path[] = "/tmp/cprof-symbols-XXXXXX";
    int file = mkstemp(path);
    struct stat status;
    const struct cprof_object *object;

    EXPECT(file >= 0);
    write_at(file, &start, sizeof(start), 0);
    write_at(file, &function, sizeof(function), SYMBOL_OFFSET);
    write_at(file, "\0f", 2, TEXT_OFFSET);
    write_at(file, "", 1, TEXT_OFFSET + TEXT_BYTES - 1);
    EXPECT(fstat(file, &status) == 0);
    object = cprof_symbols_of(symbols, &(struct cprof_mapped_file){
                                           .path = path,
                                           .inode = status.st_ino,
                                           .device_major = major(status.st_dev),
                                           .device_minor = minor(status.st_dev),
                                       });
    EXPECT(unlink(path) == 0 && close(file) == 0);
    return object;
}

static bool is_read(struct cprof_symbols *symbols)
{
    const struct cprof_object *object = ask(symbols);

    EXPECT(!object || (object->symbol_count == 1 && object->memory_bytes > TEXT_BYTES));
    return object != NULL;
}

static bool has_functions(struct cprof_symbols *symbols)
{
    const struct cprof_object *object = ask(symbols);

    EXPECT(object && object->symbol_count <= 1);
    return object->symbol_count == 1;
}

static void large_files_are_read_up_to_a_bound_in_each_harvest(void)
{
    struct cprof_symbols *symbols = cprof_symbols_create(CPROF_SYMBOLS_BYTES_MAX);
    unsigned read = 0;

    EXPECT(symbols);
    for (unsigned i = 0; i < FILES; i++) {
        read += is_read(symbols);
    }
    EXPECT(read > 2 && read <= CPROF_SYMBOLS_BYTES_MAX / (2 * TEXT_BYTES));
    EXPECT(!is_read(symbols));
    cprof_symbols_begin(symbols);
    EXPECT(is_read(symbols));
    cprof_symbols_free(symbols);
}

/* Its table of texts alone would take more than half of the memory. */
static void a_file_that_is_too_large_for_the_bound_has_no_functions(void)
{
    struct cprof_symbols *symbols = cprof_symbols_create(2 * TEXT_BYTES);
    struct cprof_symbols *small = cprof_symbols_create(2 * TEXT_BYTES - 2);

    EXPECT(symbols && small);
    EXPECT(has_functions(symbols) && !has_functions(small));
    cprof_symbols_free(symbols);
    cprof_symbols_free(small);
}

int main(void)
{
    RUN(large_files_are_read_up_to_a_bound_in_each_harvest);
    RUN(a_file_that_is_too_large_for_the_bound_has_no_functions);
    return 0;
}
