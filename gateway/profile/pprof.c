/* pprof.c - see pprof.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pprof.h"

#include <stdlib.h>
#include <string.h>

#include "clean_text.h"
#include "gzip.h"
#include "kind.h"
#include "profile.pb-c.h"

typedef Perftools__Profiles__Profile profile_message;
typedef Perftools__Profiles__Sample sample_message;
typedef Perftools__Profiles__Location location_message;
typedef Perftools__Profiles__Function function_message;
typedef Perftools__Profiles__Line line_message;
typedef Perftools__Profiles__Label label_message;
typedef Perftools__Profiles__Mapping mapping_message;
typedef Perftools__Profiles__ValueType value_type_message;

enum { SAMPLE_VALUES = 2 };

/* What a message under way points to. */
struct message_memory {
    value_type_message types[SAMPLE_VALUES];
    value_type_message *type_list[SAMPLE_VALUES];
    mapping_message *mappings;
    mapping_message **mapping_list;
    char **texts;
    function_message *functions;
    function_message **function_list;
    location_message *locations;
    location_message **location_list;
    line_message *lines;
    line_message **line_list;
    sample_message *samples;
    sample_message **sample_list;
    label_message *labels;
    label_message **label_list;
    uint64_t *location_ids;
    int64_t *values;
    int64_t *comments;
};

/* The texts that the format itself needs. */
struct known_texts {
    uint32_t sample, count, kind, nanoseconds;
};

static void free_memory(struct message_memory *memory)
{
    free(memory->mappings);
    free((void *)memory->mapping_list);
    free((void *)memory->texts);
    free(memory->functions);
    free((void *)memory->function_list);
    free(memory->locations);
    free((void *)memory->location_list);
    free(memory->lines);
    free((void *)memory->line_list);
    free(memory->samples);
    free((void *)memory->sample_list);
    free(memory->labels);
    free((void *)memory->label_list);
    free(memory->location_ids);
    free(memory->values);
    free(memory->comments);
}

/* calloc that knows no difference between nothing and failure for empty arrays. */
static void *array_of(size_t count, size_t entry_bytes, bool *ok)
{
    void *array = calloc(count + 1, entry_bytes);

    *ok = *ok && array;
    return array;
}

static bool allocate(struct message_memory *memory, const struct cprof_table *table,
                     size_t extra_texts)
{
    bool ok = true;

    memory->texts = array_of(table->text_count + extra_texts, sizeof(char *), &ok);
    memory->mappings = array_of(table->mapping_count + 1, sizeof(*memory->mappings), &ok);
    memory->mapping_list = array_of(table->mapping_count + 1, sizeof(void *), &ok);
    memory->functions = array_of(table->function_count, sizeof(*memory->functions), &ok);
    memory->function_list = array_of(table->function_count, sizeof(void *), &ok);
    memory->locations = array_of(table->location_count, sizeof(*memory->locations), &ok);
    memory->location_list = array_of(table->location_count, sizeof(void *), &ok);
    memory->lines = array_of(table->location_count, sizeof(*memory->lines), &ok);
    memory->line_list = array_of(table->location_count, sizeof(void *), &ok);
    memory->samples = array_of(table->sample_count, sizeof(*memory->samples), &ok);
    memory->sample_list = array_of(table->sample_count, sizeof(void *), &ok);
    memory->labels = array_of(table->label_pool_used, sizeof(*memory->labels), &ok);
    memory->label_list = array_of(table->label_pool_used, sizeof(void *), &ok);
    memory->location_ids = array_of(table->location_pool_used, sizeof(uint64_t), &ok);
    memory->values = array_of(table->sample_count * SAMPLE_VALUES, sizeof(int64_t), &ok);
    memory->comments = array_of(table->comment_count, sizeof(int64_t), &ok);
    return ok;
}

/* Numbers in the message count from 1, in the table from 0. */
static void fill_functions(profile_message *profile, struct message_memory *memory,
                           const struct cprof_table *table)
{
    for (size_t i = 0; i < table->function_count; i++) {
        perftools__profiles__function__init(&memory->functions[i]);
        memory->functions[i].id = i + 1;
        memory->functions[i].name = table->functions[i].name;
        memory->functions[i].system_name = table->functions[i].system_name;
        memory->functions[i].filename = table->functions[i].file;
        memory->functions[i].start_line = table->functions[i].first_line;
        memory->function_list[i] = &memory->functions[i];
    }
    profile->n_function = table->function_count;
    profile->function = memory->function_list;
}

static void fill_locations(profile_message *profile, struct message_memory *memory,
                           const struct cprof_table *table)
{
    for (size_t i = 0; i < table->location_count; i++) {
        perftools__profiles__line__init(&memory->lines[i]);
        memory->lines[i].function_id = (uint64_t)table->locations[i].function + 1;
        memory->lines[i].line = table->locations[i].line;
        memory->line_list[i] = &memory->lines[i];
        perftools__profiles__location__init(&memory->locations[i]);
        memory->locations[i].id = i + 1;
        memory->locations[i].mapping_id = (uint64_t)table->locations[i].mapping + 1;
        memory->locations[i].address = table->locations[i].address;
        memory->locations[i].n_line = 1;
        memory->locations[i].line = &memory->line_list[i];
        memory->location_list[i] = &memory->locations[i];
    }
    profile->n_location = table->location_count;
    profile->location = memory->location_list;
}

static void fill_samples(profile_message *profile, struct message_memory *memory,
                         const struct cprof_table *table)
{
    for (size_t i = 0; i < table->location_pool_used; i++) {
        memory->location_ids[i] = (uint64_t)table->location_pool[i] + 1;
    }
    for (size_t i = 0; i < table->label_pool_used; i++) {
        perftools__profiles__label__init(&memory->labels[i]);
        memory->labels[i].key = table->label_pool[i].key;
        memory->labels[i].str = table->label_pool[i].value;
        memory->label_list[i] = &memory->labels[i];
    }
    for (size_t i = 0; i < table->sample_count; i++) {
        const struct cprof_sample *from = &table->samples[i];
        sample_message *to = &memory->samples[i];

        perftools__profiles__sample__init(to);
        memory->values[i * SAMPLE_VALUES] = (int64_t)from->count;
        memory->values[i * SAMPLE_VALUES + 1] = (int64_t)from->value_ns;
        to->n_location_id = from->depth;
        to->location_id = memory->location_ids + from->first_location;
        to->n_value = SAMPLE_VALUES;
        to->value = memory->values + i * SAMPLE_VALUES;
        to->n_label = from->label_count;
        to->label = memory->label_list + from->first_label;
        memory->sample_list[i] = to;
    }
    profile->n_sample = table->sample_count;
    profile->sample = memory->sample_list;
}

static uint32_t add_text(profile_message *profile, struct message_memory *memory, char *text)
{
    memory->texts[profile->n_string_table] = text;
    return (uint32_t)profile->n_string_table++;
}

static void fill_texts(profile_message *profile, struct message_memory *memory,
                       const struct cprof_table *table, struct known_texts *known)
{
    static char sample[] = "sample", count[] = "count", ns[] = "nanoseconds";
    /* Nobody writes to the texts of a message that is packed. */
    char *kind = (char *)(uintptr_t)cprof_kind_name(table->kind);

    for (size_t i = 0; i < table->text_count; i++) {
        (void)add_text(profile, memory, table->text_pool + table->texts[i].offset);
    }
    known->sample = add_text(profile, memory, sample);
    known->count = add_text(profile, memory, count);
    known->kind = add_text(profile, memory, kind);
    known->nanoseconds = add_text(profile, memory, ns);
    profile->string_table = memory->texts;
    for (size_t i = 0; i < table->comment_count; i++) {
        memory->comments[i] = table->comments[i];
    }
    profile->n_comment = table->comment_count;
    profile->comment = memory->comments;
}

/* What the numbers of a sample mean. */
static void fill_types(profile_message *profile, struct message_memory *memory,
                       const struct known_texts *known)
{
    for (unsigned i = 0; i < SAMPLE_VALUES; i++) {
        perftools__profiles__value_type__init(&memory->types[i]);
        memory->type_list[i] = &memory->types[i];
    }
    memory->types[0].type = known->sample;
    memory->types[0].unit = known->count;
    memory->types[1].type = known->kind;
    memory->types[1].unit = known->nanoseconds;
    profile->n_sample_type = SAMPLE_VALUES;
    profile->sample_type = memory->type_list;
    profile->period_type = &memory->types[1];
    profile->default_sample_type = known->kind;
}

/* The first mapping is Python's code, which is in no object file; the table's follow. None is to
 * be looked up by a reader: all that is known stands in the functions. */
static void fill_mappings(profile_message *profile, struct message_memory *memory,
                          const struct cprof_table *table)
{
    for (size_t i = 0; i <= table->mapping_count; i++) {
        mapping_message *to = &memory->mappings[i];

        perftools__profiles__mapping__init(to);
        to->id = i + 1;
        to->has_functions = 1;
        to->has_filenames = 1;
        to->has_line_numbers = 1;
        if (i > 0) {
            to->memory_start = table->mappings[i - 1].start;
            to->memory_limit = table->mappings[i - 1].limit;
            to->file_offset = table->mappings[i - 1].file_offset;
            to->filename = table->mappings[i - 1].file;
            to->build_id = table->mappings[i - 1].build_id;
        }
        memory->mapping_list[i] = to;
    }
    profile->n_mapping = table->mapping_count + 1;
    profile->mapping = memory->mapping_list;
}

static bool pack_and_compress(uint8_t **bytes, size_t *byte_count, const profile_message *profile,
                              struct cprof_error *error)
{
    size_t packed_bytes = perftools__profiles__profile__get_packed_size(profile);
    uint8_t *packed = malloc(packed_bytes);
    bool ok;

    if (!packed) {
        return cprof_fail(error, "no memory for a profile of %zu bytes", packed_bytes);
    }
    (void)perftools__profiles__profile__pack(profile, packed);
    ok = cprof_gzip(bytes, byte_count, packed, packed_bytes, error);
    free(packed);
    return ok;
}

bool cprof_pprof_write(uint8_t **bytes, size_t *byte_count, const struct cprof_table *table,
                       struct cprof_error *error)
{
    profile_message profile = PERFTOOLS__PROFILES__PROFILE__INIT;
    struct message_memory memory = {0};
    struct known_texts known;
    bool ok = false;

    *bytes = NULL;
    *byte_count = 0;
    if (!allocate(&memory, table, sizeof(known) / sizeof(uint32_t))) {
        cprof_fail(error, "no memory for a profile of %zu samples", table->sample_count);
        goto out;
    }
    fill_texts(&profile, &memory, table, &known);
    fill_types(&profile, &memory, &known);
    fill_mappings(&profile, &memory, table);
    fill_functions(&profile, &memory, table);
    fill_locations(&profile, &memory, table);
    fill_samples(&profile, &memory, table);
    profile.time_nanos = (int64_t)table->time_unix_ns;
    profile.duration_nanos = (int64_t)table->duration_ns;
    profile.period = (int64_t)table->period_ns;
    ok = pack_and_compress(bytes, byte_count, &profile, error);
out:
    free_memory(&memory);
    return ok;
}

/* Maps a message's numbers to the table's. */
struct message_reader {
    struct cprof_table *table;
    const profile_message *profile;
    uint32_t *texts;
    uint32_t *locations; /* by number - 1 */
    uint32_t *functions;
    uint32_t *mappings;
};

static bool text_is_known(const struct message_reader *reader, int64_t text)
{
    return text >= 0 && (uint64_t)text < reader->profile->n_string_table;
}

static bool text_equals(const struct message_reader *reader, int64_t text, const char *wanted)
{
    return text_is_known(reader, text) && strcmp(reader->profile->string_table[text], wanted) == 0;
}

/* 0: none of ours. */
static enum cprof_kind kind_of_types(const struct message_reader *reader)
{
    const profile_message *profile = reader->profile;

    if (profile->n_sample_type != SAMPLE_VALUES ||
        !text_equals(reader, profile->sample_type[0]->type, "sample") ||
        !text_equals(reader, profile->sample_type[0]->unit, "count") ||
        !text_equals(reader, profile->sample_type[1]->unit, "nanoseconds")) {
        return 0;
    }
    for (unsigned i = 0; i < CPROF_PROFILE_KINDS; i++) {
        enum cprof_kind kind = cprof_profile_kinds[i];

        if (text_equals(reader, profile->sample_type[1]->type, cprof_kind_name(kind))) {
            return kind;
        }
    }
    return 0;
}

static bool read_kind(struct message_reader *reader, struct cprof_error *error)
{
    enum cprof_kind kind = kind_of_types(reader), before = reader->table->kind;

    if (kind == 0) {
        return cprof_fail(error, "its sample types are not sample/count and cpu/nanoseconds or "
                                 "wall/nanoseconds");
    }
    if (before != 0 && kind != before) {
        return cprof_fail(error, "it is a %s profile, and the one before is a %s profile",
                          cprof_kind_name(kind), cprof_kind_name(before));
    }
    reader->table->kind = kind;
    return true;
}

static bool read_texts(struct message_reader *reader)
{
    const profile_message *profile = reader->profile;

    for (size_t i = 0; i < profile->n_string_table; i++) {
        size_t bytes = strlen(profile->string_table[i]);
        char *clean = malloc(CPROF_CLEAN_TEXT_BYTES(bytes));

        if (!clean) {
            return false;
        }
        bytes =
            cprof_clean_text(clean, CPROF_CLEAN_TEXT_BYTES(bytes), profile->string_table[i], bytes);
        reader->texts[i] = cprof_table_text(reader->table, clean, bytes);
        free(clean);
    }
    return true;
}

static int32_t line_number(int64_t line)
{
    return line > 0 && line <= INT32_MAX ? (int32_t)line : 0;
}

static bool read_functions(struct message_reader *reader)
{
    for (size_t i = 0; i < reader->profile->n_function; i++) {
        const function_message *from = reader->profile->function[i];
        struct cprof_function function;

        if (from->id != i + 1 || !text_is_known(reader, from->name) ||
            !text_is_known(reader, from->system_name) || !text_is_known(reader, from->filename)) {
            return false;
        }
        function = (struct cprof_function){
            .name = reader->texts[from->name],
            .system_name = reader->texts[from->system_name],
            .file = reader->texts[from->filename],
            .first_line = line_number(from->start_line),
        };
        reader->functions[i] = cprof_table_function(reader->table, &function);
    }
    return true;
}

/* What has no end is Python's code. */
static bool read_mappings(struct message_reader *reader)
{
    for (size_t i = 0; i < reader->profile->n_mapping; i++) {
        const mapping_message *from = reader->profile->mapping[i];
        struct cprof_mapping mapping;

        if (!text_is_known(reader, from->filename) || !text_is_known(reader, from->build_id)) {
            return false;
        }
        mapping = (struct cprof_mapping){
            .start = from->memory_start,
            .limit = from->memory_limit,
            .file_offset = from->file_offset,
            .file = reader->texts[from->filename],
            .build_id = reader->texts[from->build_id],
        };
        if (from->id == i + 1 && mapping.limit > mapping.start) {
            reader->mappings[i] = cprof_table_mapping(reader->table, &mapping);
        }
    }
    return true;
}

static uint32_t mapping_of(const struct message_reader *reader, const location_message *location)
{
    uint64_t id = location->mapping_id;

    return id > 0 && id <= reader->profile->n_mapping ? reader->mappings[id - 1] : 0;
}

static bool read_locations(struct message_reader *reader)
{
    for (size_t i = 0; i < reader->profile->n_location; i++) {
        const location_message *from = reader->profile->location[i];
        struct cprof_location location;

        if (from->id != i + 1 || from->n_line != 1 || from->line[0]->function_id == 0 ||
            from->line[0]->function_id > reader->profile->n_function) {
            return false;
        }
        location = (struct cprof_location){
            .function = reader->functions[from->line[0]->function_id - 1],
            .line = line_number(from->line[0]->line),
            .address = from->address,
            .mapping = mapping_of(reader, from),
        };
        reader->locations[i] = cprof_table_location(reader->table, &location);
    }
    return true;
}

static bool sample_is_sound(const struct message_reader *reader, const sample_message *sample)
{
    if (sample->n_value != SAMPLE_VALUES || sample->value[0] < 0 || sample->value[1] < 0) {
        return false;
    }
    for (size_t i = 0; i < sample->n_location_id; i++) {
        if (sample->location_id[i] == 0 || sample->location_id[i] > reader->profile->n_location) {
            return false;
        }
    }
    for (size_t i = 0; i < sample->n_label; i++) {
        if (!text_is_known(reader, sample->label[i]->key) ||
            !text_is_known(reader, sample->label[i]->str)) {
            return false;
        }
    }
    return true;
}

static bool read_sample(struct message_reader *reader, const sample_message *from)
{
    uint32_t *locations = NULL;
    struct cprof_label *labels = NULL;
    bool ok = sample_is_sound(reader, from);

    if (!ok) {
        return false;
    }
    locations = array_of(from->n_location_id, sizeof(*locations), &ok);
    labels = array_of(from->n_label, sizeof(*labels), &ok);
    if (ok) {
        struct cprof_sample_key key = {
            .locations = locations,
            .labels = labels,
            .depth = (uint32_t)from->n_location_id,
            .label_count = (uint32_t)from->n_label,
        };

        for (size_t i = 0; i < from->n_location_id; i++) {
            locations[i] = reader->locations[from->location_id[i] - 1];
        }
        for (size_t i = 0; i < from->n_label; i++) {
            labels[i].key = reader->texts[from->label[i]->key];
            labels[i].value = reader->texts[from->label[i]->str];
        }
        cprof_table_add_sample(reader->table, &key, (uint64_t)from->value[0],
                               (uint64_t)from->value[1]);
    }
    free(locations);
    free(labels);
    return ok;
}

static bool read_samples(struct message_reader *reader)
{
    for (size_t i = 0; i < reader->profile->n_sample; i++) {
        if (!read_sample(reader, reader->profile->sample[i])) {
            return false;
        }
    }
    return true;
}

static bool read_comments(struct message_reader *reader)
{
    const profile_message *profile = reader->profile;

    for (size_t i = 0; i < profile->n_comment; i++) {
        if (!text_is_known(reader, profile->comment[i])) {
            return false;
        }
        cprof_table_comment(reader->table, "%s",
                            cprof_table_text_at(reader->table, reader->texts[profile->comment[i]]));
    }
    return true;
}

static void read_times(struct cprof_table *table, const profile_message *profile)
{
    uint64_t time_unix_ns = profile->time_nanos > 0 ? (uint64_t)profile->time_nanos : 0;
    uint64_t duration_ns = profile->duration_nanos > 0 ? (uint64_t)profile->duration_nanos : 0;

    if (table->time_unix_ns == 0 || time_unix_ns < table->time_unix_ns) {
        table->time_unix_ns = time_unix_ns;
    }
    table->duration_ns = cprof_saturating_add(table->duration_ns, duration_ns);
    table->period_ns = profile->period > 0 ? (uint64_t)profile->period : 0;
}

static bool read_message(struct cprof_table *table, const profile_message *profile,
                         struct cprof_error *error)
{
    struct message_reader reader = {.table = table, .profile = profile};
    bool ok = true;

    reader.texts = array_of(profile->n_string_table, sizeof(uint32_t), &ok);
    reader.functions = array_of(profile->n_function, sizeof(uint32_t), &ok);
    reader.locations = array_of(profile->n_location, sizeof(uint32_t), &ok);
    reader.mappings = array_of(profile->n_mapping, sizeof(uint32_t), &ok);
    if (!ok) {
        cprof_fail(error, "no memory for its contents");
    } else if (!read_kind(&reader, error)) {
        ok = false;
    } else if (!read_texts(&reader) || !read_functions(&reader) || !read_mappings(&reader) ||
               !read_locations(&reader) || !read_samples(&reader) || !read_comments(&reader) ||
               table->failed) {
        ok = cprof_fail(error, "its contents are inconsistent, or there is no memory for them");
    } else {
        read_times(table, profile);
    }
    free(reader.texts);
    free(reader.functions);
    free(reader.locations);
    free(reader.mappings);
    return ok;
}

bool cprof_pprof_read(struct cprof_table *table, const uint8_t *bytes, size_t byte_count,
                      struct cprof_error *error)
{
    profile_message *profile;
    uint8_t *packed;
    size_t packed_bytes;
    bool ok;

    if (byte_count > CPROF_PPROF_FILE_BYTES_MAX) {
        return cprof_fail(error, "it is too large (%zu bytes)", byte_count);
    }
    if (!cprof_gunzip(&packed, &packed_bytes, bytes, byte_count, error)) {
        return false;
    }
    profile = perftools__profiles__profile__unpack(NULL, packed_bytes, packed);
    free(packed);
    if (!profile) {
        return cprof_fail(error, "it holds no profile message");
    }
    ok = read_message(table, profile, error);
    perftools__profiles__profile__free_unpacked(profile, NULL);
    return ok;
}
