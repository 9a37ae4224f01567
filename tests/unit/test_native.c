/* test_native.c - see gateway/profile/native.h.
 *
 * sources: tests/unit/fake_log.c
 *
 * The file of the mappings is this test program itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/profile/native.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "expect.h"
#include "fake_log.h"

#define EPOCH 1

static struct cprof_segment segment;
static struct cprof_log_writer writer;
static struct cprof_log_view view;
static struct cprof_native native;
static struct cprof_table table;
static struct cprof_symbols *symbols;

static void begin_test(void)
{
    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    cprof_table_init(&table);
    symbols = cprof_symbols_create(CPROF_SYMBOLS_BYTES_MAX);
    EXPECT(symbols != NULL);
}

static void read_log(void)
{
    struct cprof_error error;

    EXPECT(cprof_log_read(&view, &segment, 0, EPOCH, &error));
    EXPECT(cprof_native_begin(&native, &view, symbols));
}

static void end_test(void)
{
    cprof_native_reset(&native);
    cprof_log_view_reset(&view);
    cprof_symbols_free(symbols);
    cprof_table_reset(&table);
    fake_segment_close(&segment);
}

static const char *name_at(uint64_t pc, uint32_t incarnation)
{
    struct cprof_log_leaf leaf = {.pc = pc, .incarnation = incarnation};
    uint32_t location = cprof_native_location(&native, &table, &leaf);

    return cprof_table_text_at(&table, table.functions[table.locations[location].function].name);
}

static bool is_named(uint64_t pc, const char *name)
{
    return strcmp(name_at(pc, 1), name) == 0;
}

static void map(uint64_t start, uint64_t end, const char *path)
{
    EXPECT(fake_mapping(
        &writer,
        &(struct fake_mapping){
            .start = start, .end = end, .inode = strlen(path), .incarnation = 1, .path = path}));
}

/* The mapping of this program that holds `address`, as the kernel tells it. */
static struct fake_mapping own_mapping(uintptr_t address)
{
    static char path[4096];
    struct fake_mapping mapping = {.incarnation = 1, .path = path};
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[8192];
    unsigned long start, end, offset, inode;
    unsigned major, minor;

    EXPECT(maps != NULL);
    while (fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx %*s %lx %x:%x %lu %4095s", &start, &end, &offset, &major, &minor,
                   &inode, path) == 7 &&
            address >= start && address < end) {
            mapping.start = start;
            mapping.end = end;
            mapping.file_offset = offset;
            mapping.inode = inode;
            mapping.device_major = major;
            mapping.device_minor = minor;
            break;
        }
    }
    EXPECT(fclose(maps) == 0 && mapping.end > 0);
    return mapping;
}

static void an_address_without_a_mapping_is_unknown(void)
{
    begin_test();
    map(0x1000, 0x2000, "/lib/liba.so");
    read_log();

    EXPECT(is_named(0xfff, "[unknown]"));
    EXPECT(is_named(0x2000, "[unknown]"));
    EXPECT(strcmp(name_at(0x1800, 2), "[unknown]") == 0);
    end_test();
}

static void a_file_that_is_not_there_gives_its_name_alone(void)
{
    begin_test();
    map(0x1000, 0x2000, "/nowhere/libgone.so.1 (deleted)");
    map(0x3000, 0x4000, "/nowhere/liba.so");
    map(0x5000, 0x6000, "[vdso]");
    map(0x7000, 0x8000, "");
    map(0x9000, 0xa000, "strange\nname");
    read_log();

    EXPECT(is_named(0x1000, "[libgone.so.1]"));
    EXPECT(is_named(0x3fff, "[liba.so]"));
    EXPECT(is_named(0x5800, "[vdso]"));
    EXPECT(is_named(0x7800, "[anonymous memory]"));
    EXPECT(is_named(0x9800, "[strange\xef\xbf\xbdname]"));
    end_test();
}

static void an_address_with_two_files_is_unknown(void)
{
    begin_test();
    map(0x1000, 0x4000, "/nowhere/liba.so");
    map(0x2000, 0x3000, "/nowhere/libother.so");
    read_log();

    EXPECT(is_named(0x1800, "[liba.so]"));
    EXPECT(is_named(0x2800, "[unknown]"));
    EXPECT(!is_named(0x3800, "[libother.so]"));
    end_test();
}

static void a_mapping_that_was_split_stays_one(void)
{
    struct fake_mapping whole = {
        .start = 0x1000, .end = 0x4000, .inode = 7, .incarnation = 1, .path = "/nowhere/liba.so"};
    struct fake_mapping part = whole;

    begin_test();
    part.start = 0x2000;
    part.file_offset = 0x1000;
    EXPECT(fake_mapping(&writer, &whole) && fake_mapping(&writer, &part));
    read_log();

    EXPECT(is_named(0x1800, "[liba.so]") && is_named(0x2800, "[liba.so]"));
    EXPECT(table.mapping_count == 1);
    end_test();
}

static void a_function_of_a_readable_file_is_named(void)
{
    uintptr_t address = (uintptr_t)is_named;
    struct fake_mapping own = own_mapping(address);
    char wanted[300];
    const char *slash = strrchr(own.path, '/');

    (void)snprintf(wanted, sizeof(wanted), "is_named [%s]", slash + 1);
    begin_test();
    EXPECT(fake_mapping(&writer, &own));
    read_log();

    EXPECT(is_named(address + 1, wanted));
    EXPECT(table.mapping_count == 1);
    EXPECT(strlen(cprof_table_text_at(&table, table.mappings[0].build_id)) >= 32);
    EXPECT(table.locations[0].mapping == 1);
    EXPECT(table.locations[0].address >= table.mappings[0].start &&
           table.locations[0].address < table.mappings[0].limit);
    end_test();
}

static void a_file_with_another_inode_is_not_believed(void)
{
    uintptr_t address = (uintptr_t)is_named;
    struct fake_mapping own = own_mapping(address);
    char wanted[300];

    (void)snprintf(wanted, sizeof(wanted), "[%s]", strrchr(own.path, '/') + 1);
    own.inode++;
    begin_test();
    EXPECT(fake_mapping(&writer, &own));
    read_log();

    EXPECT(is_named(address, wanted));
    end_test();
}

static void a_file_on_another_device_is_not_believed(void)
{
    uintptr_t address = (uintptr_t)is_named;
    struct fake_mapping own = own_mapping(address);
    char wanted[300];

    (void)snprintf(wanted, sizeof(wanted), "[%s]", strrchr(own.path, '/') + 1);
    own.device_minor++;
    begin_test();
    EXPECT(fake_mapping(&writer, &own));
    read_log();

    EXPECT(is_named(address, wanted));
    end_test();
}

int main(void)
{
    RUN(an_address_without_a_mapping_is_unknown);
    RUN(a_file_that_is_not_there_gives_its_name_alone);
    RUN(an_address_with_two_files_is_unknown);
    RUN(a_mapping_that_was_split_stays_one);
    RUN(a_function_of_a_readable_file_is_named);
    RUN(a_file_with_another_inode_is_not_believed);
    RUN(a_file_on_another_device_is_not_believed);
    return 0;
}
