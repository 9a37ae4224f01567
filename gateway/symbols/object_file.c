/* object_file.c - see object_file.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "object_file.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADERS_MAX    64u
#define SECTIONS_MAX   65536u
#define NOTE_BYTES_MAX (UINT64_C(64) << 10)
#define DYNAMIC_MAX    1024
#define SYMBOLS_MAX    (1u << 19)
#define TEXT_BYTES_MAX (UINT32_C(32) << 20)
#define BUILD_ID_MAX   64u

/* Functions around an address that are looked at for the one that encloses it. */
#define ENCLOSING_MAX 32u

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#else
#define OWN_MACHINE EM_AARCH64
#endif

struct cprof_object_symbol {
    uint64_t start;
    uint64_t end;
    uint32_t name; /* in the object's text */
    bool is_local;
};

int cprof_object_find(const char *path, struct stat *status)
{
    int found = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (found >= 0 && (fstat(found, status) != 0 || !S_ISREG(status->st_mode))) {
        (void)close(found);
        return -1;
    }
    return found;
}

void cprof_object_reset(struct cprof_object *object)
{
    free(object->symbols);
    free(object->text);
    *object = (struct cprof_object){0};
}

static void take_build_id(struct cprof_object *object, const uint8_t *id, size_t bytes)
{
    for (size_t i = 0; i < bytes && i < BUILD_ID_MAX; i++) {
        (void)snprintf(object->build_id + 2 * i, 3, "%02x", id[i]);
    }
}

/* Looks for the build id in a segment of notes. */
static void read_notes(struct cprof_object *object, Elf *elf, const GElf_Phdr *header)
{
    Elf_Data *data;
    GElf_Nhdr note;
    size_t at = 0, next, name, id;

    if (header->p_filesz > NOTE_BYTES_MAX || object->build_id[0] != '\0') {
        return;
    }
    data = elf_getdata_rawchunk(elf, (int64_t)header->p_offset, header->p_filesz,
                                header->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
    while (data && (next = gelf_getnote(data, at, &note, &name, &id)) > 0) {
        const char *bytes = data->d_buf;

        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
            memcmp(bytes + name, "GNU", sizeof("GNU")) == 0) {
            take_build_id(object, (const uint8_t *)bytes + id, note.n_descsz);
            return;
        }
        at = next;
    }
}

static void read_segments(struct cprof_object *object, Elf *elf)
{
    size_t count = 0;

    if (elf_getphdrnum(elf, &count) != 0 || count > HEADERS_MAX) {
        return;
    }
    for (int i = 0; i < (int)count; i++) {
        GElf_Phdr header;

        if (!gelf_getphdr(elf, i, &header)) {
            continue;
        }
        if (header.p_type == PT_NOTE) {
            read_notes(object, elf, &header);
        }
        if (header.p_type == PT_LOAD && (header.p_flags & PF_X) &&
            object->segment_count < CPROF_OBJECT_SEGMENTS_MAX) {
            object->segments[object->segment_count++] = (struct cprof_object_segment){
                .file_offset = header.p_offset,
                .bytes = header.p_filesz,
                .address = header.p_vaddr,
            };
        }
    }
}

/* The bytes of a section that is not too large to be held, or NULL. */
static Elf_Data *data_of(const struct cprof_object *object, Elf_Scn *section,
                         const GElf_Shdr *header)
{
    return header->sh_size <= object->section_bytes_max ? elf_getdata(section, NULL) : NULL;
}

/* A section of texts that end with NUL, each and all. */
struct texts {
    const char *bytes;
    size_t count;
};

/* Empty: there is none, or it is too large to be held. */
static struct texts texts_of(const struct cprof_object *object, Elf *elf, size_t section_index)
{
    Elf_Scn *section = elf_getscn(elf, section_index);
    GElf_Shdr header;
    Elf_Data *data;
    const char *bytes;

    if (!section || !gelf_getshdr(section, &header) || header.sh_type != SHT_STRTAB) {
        return (struct texts){0};
    }
    data = data_of(object, section, &header);
    bytes = data ? data->d_buf : NULL;
    if (!bytes || data->d_size == 0 || bytes[data->d_size - 1] != '\0') {
        return (struct texts){0};
    }
    return (struct texts){.bytes = bytes, .count = data->d_size};
}

static const char *text_at(const struct texts *texts, uint64_t offset)
{
    return offset < texts->count ? texts->bytes + offset : "";
}

static void take_name(struct cprof_object *object, const char *name)
{
    size_t bytes = strnlen(name, sizeof(object->name));

    if (bytes < sizeof(object->name) && !memchr(name, '/', bytes)) {
        memcpy(object->name, name, bytes + 1);
    }
}

static void read_name(struct cprof_object *object, Elf *elf, Elf_Scn *section,
                      const GElf_Shdr *header)
{
    Elf_Data *data = data_of(object, section, header);
    struct texts texts = texts_of(object, elf, header->sh_link);
    GElf_Dyn entry;

    for (int i = 0; data && i < DYNAMIC_MAX && gelf_getdyn(data, i, &entry); i++) {
        if (entry.d_tag == DT_SONAME) {
            take_name(object, text_at(&texts, entry.d_un.d_val));
            return;
        }
    }
}

/* Without what stands behind "@": the version of a symbol. False: no room. */
static bool add_text(struct cprof_object *object, const char *name, uint32_t *offset)
{
    size_t bytes = strnlen(name, CPROF_OBJECT_NAME_BYTES - 1);
    const char *version = memchr(name, '@', bytes);

    bytes = version ? (size_t)(version - name) : bytes;
    if (object->text_bytes + bytes + 1 > object->text_capacity) {
        return false;
    }
    *offset = (uint32_t)object->text_bytes;
    memcpy(object->text + object->text_bytes, name, bytes);
    object->text[object->text_bytes + bytes] = '\0';
    object->text_bytes += bytes + 1;
    return true;
}

static bool is_function(const GElf_Sym *symbol)
{
    unsigned type = GELF_ST_TYPE(symbol->st_info);

    return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol->st_shndx != SHN_UNDEF &&
           symbol->st_size > 0 && symbol->st_value <= UINT64_MAX - symbol->st_size;
}

/* Tables may share the ends of names, which are copied each. */
static bool reserve(struct cprof_object *object, size_t symbols, uint64_t section_bytes)
{
    size_t text_bytes = section_bytes < TEXT_BYTES_MAX / 2 ? section_bytes * 2 : TEXT_BYTES_MAX;

    object->text_capacity = text_bytes;
    object->memory_bytes = text_bytes + symbols * sizeof(*object->symbols);
    object->symbols = calloc(symbols + 1, sizeof(*object->symbols));
    object->text = malloc(text_bytes + 1);
    return object->symbols && object->text;
}

/* Returns whether any function was found. */
static bool read_symbols(struct cprof_object *object, Elf *elf, Elf_Scn *section,
                         const GElf_Shdr *header)
{
    Elf_Data *data = data_of(object, section, header);
    size_t count = data && header->sh_entsize > 0 ? header->sh_size / header->sh_entsize : 0;
    struct texts texts = texts_of(object, elf, header->sh_link);
    GElf_Sym symbol;

    if (count > SYMBOLS_MAX || !reserve(object, count, texts.count)) {
        return false;
    }
    for (int i = 0; i < (int)count && gelf_getsym(data, i, &symbol); i++) {
        const char *name = is_function(&symbol) ? text_at(&texts, symbol.st_name) : "";
        struct cprof_object_symbol *to = &object->symbols[object->symbol_count];

        if (name[0] != '\0' && add_text(object, name, &to->name)) {
            to->start = symbol.st_value;
            to->end = symbol.st_value + symbol.st_size;
            to->is_local = GELF_ST_BIND(symbol.st_info) == STB_LOCAL;
            object->symbol_count++;
        }
    }
    return object->symbol_count > 0;
}

/* Looks for the section of a type; NULL: there is none. */
static Elf_Scn *find_section(Elf *elf, uint32_t type, GElf_Shdr *header)
{
    Elf_Scn *section = NULL;

    for (unsigned i = 0; i < SECTIONS_MAX && (section = elf_nextscn(elf, section)) != NULL; i++) {
        if (gelf_getshdr(section, header) && header->sh_type == type) {
            return section;
        }
    }
    return NULL;
}

static void forget_symbols(struct cprof_object *object)
{
    free(object->symbols);
    free(object->text);
    object->symbols = NULL;
    object->text = NULL;
    object->symbol_count = 0;
    object->text_bytes = 0;
    object->memory_bytes = 0;
}

/* The full table where the file was not stripped of it, else the one for the dynamic linker. */
static void read_sections(struct cprof_object *object, Elf *elf)
{
    static const uint32_t tables[] = {SHT_SYMTAB, SHT_DYNSYM};
    GElf_Shdr header;
    Elf_Scn *section = find_section(elf, SHT_DYNAMIC, &header);

    if (section) {
        read_name(object, elf, section, &header);
    }
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        section = find_section(elf, tables[i], &header);
        if (section && read_symbols(object, elf, section, &header)) {
            return;
        }
        forget_symbols(object);
    }
}

static size_t leading_underscores(const char *name)
{
    return strspn(name, "_");
}

/* By address; of those that begin together the longest first, then the one with the name that is
 * meant for people, so that the order does not depend on the table's. */
static int compare_symbols(const void *left, const void *right, void *text)
{
    const struct cprof_object_symbol *a = left, *b = right;
    const char *a_name = (const char *)text + a->name, *b_name = (const char *)text + b->name;
    size_t a_bars = leading_underscores(a_name), b_bars = leading_underscores(b_name);

    if (a->start != b->start) {
        return a->start < b->start ? -1 : 1;
    }
    if (a->end != b->end) {
        return a->end > b->end ? -1 : 1;
    }
    if (a->is_local != b->is_local) {
        return a->is_local ? 1 : -1;
    }
    if (a_bars != b_bars) {
        return a_bars < b_bars ? -1 : 1;
    }
    return strcmp(a_name, b_name);
}

static bool is_readable(Elf *elf)
{
    GElf_Ehdr header;

    return elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &header) &&
           header.e_machine == OWN_MACHINE && header.e_ident[EI_CLASS] == ELFCLASS64;
}

bool cprof_object_read(struct cprof_object *object, int found, size_t section_bytes_max)
{
    char path[64];
    int file;
    Elf *elf;
    bool ok;

    *object = (struct cprof_object){.section_bytes_max = section_bytes_max};
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", found);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || elf_version(EV_CURRENT) == EV_NONE) {
        return false;
    }
    elf = elf_begin(file, ELF_C_READ, NULL);
    ok = elf && is_readable(elf);
    if (ok) {
        read_segments(object, elf);
        read_sections(object, elf);
        if (object->symbol_count > 0) {
            qsort_r(object->symbols, object->symbol_count, sizeof(*object->symbols),
                    compare_symbols, object->text);
        }
    }
    (void)elf_end(elf);
    (void)close(file);
    return ok;
}

bool cprof_object_address(const struct cprof_object *object, uint64_t file_offset,
                          uint64_t *address)
{
    for (uint32_t i = 0; i < object->segment_count; i++) {
        const struct cprof_object_segment *segment = &object->segments[i];

        if (file_offset >= segment->file_offset &&
            file_offset - segment->file_offset < segment->bytes) {
            *address = file_offset - segment->file_offset + segment->address;
            return true;
        }
    }
    return false;
}

/* How many symbols begin at `address` or before. */
static size_t count_until(const struct cprof_object *object, uint64_t address)
{
    size_t low = 0, high = object->symbol_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (object->symbols[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Of several that enclose the address the one that begins last; the first of those. */
bool cprof_object_function(const struct cprof_object *object, uint64_t address,
                           struct cprof_object_function *function)
{
    size_t until = count_until(object, address);
    const struct cprof_object_symbol *found = NULL;

    for (size_t i = until; i > 0 && until - i < ENCLOSING_MAX; i--) {
        const struct cprof_object_symbol *symbol = &object->symbols[i - 1];

        if (found && symbol->start != found->start) {
            break;
        }
        if (address < symbol->end) {
            found = symbol;
        }
    }
    if (!found) {
        return false;
    }
    *function = (struct cprof_object_function){
        .name = object->text + found->name,
        .address = found->start,
    };
    return true;
}
