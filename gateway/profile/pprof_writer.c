/* pprof_writer.c - see pprof_writer.h.
 *
 * Messages that follow each other are read as one message: repeated fields are joined. So the parts
 * are messages of the profile's own type, in the order of the fields' numbers; together they are
 * the bytes that the whole message would have.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pprof_writer.h"

#include <stdlib.h>

#include "gzip.h"
#include "kind.h"
#include "pprof.h"
#include "profile.pb-c.h"

typedef Perftools__Profiles__Profile profile_message;
typedef Perftools__Profiles__Sample sample_message;
typedef Perftools__Profiles__Location location_message;
typedef Perftools__Profiles__Function function_message;
typedef Perftools__Profiles__Line line_message;
typedef Perftools__Profiles__Label label_message;
typedef Perftools__Profiles__Mapping mapping_message;
typedef Perftools__Profiles__ValueType value_type_message;

enum { SAMPLE_VALUES = 2, ENTRIES = CPROF_PPROF_STEP_ENTRIES };

/* The texts that the format itself needs, behind those of the table. */
enum known_text { TEXT_SAMPLE, TEXT_COUNT, TEXT_KIND, TEXT_NANOSECONDS, KNOWN_TEXTS };

enum stage {
    STAGE_TYPES,
    STAGE_SAMPLES,
    STAGE_MAPPINGS,
    STAGE_LOCATIONS,
    STAGE_FUNCTIONS,
    STAGE_TEXTS,
    STAGE_REST,
    STAGE_DONE,
};

/* What samples point to. */
struct sample_memory {
    sample_message samples[ENTRIES];
    sample_message *sample_list[ENTRIES];
    int64_t values[ENTRIES][SAMPLE_VALUES];
    uint64_t *location_ids; /* for the deepest samples that there are */
    label_message *labels;  /* likewise */
    label_message **label_list;
    uint32_t depth_max, labels_max;
};

struct cprof_pprof_writer {
    const struct cprof_table *table;
    struct cprof_gzip_stream *gzip;
    enum stage stage;
    size_t next; /* entry of the stage */
    uint8_t *packed;
    size_t packed_capacity;
    bool failed;
    struct sample_memory samples;
};

static void find_deepest(struct sample_memory *memory, const struct cprof_table *table)
{
    for (size_t i = 0; i < table->sample_count; i++) {
        const struct cprof_sample *sample = &table->samples[i];

        memory->depth_max = sample->depth > memory->depth_max ? sample->depth : memory->depth_max;
        memory->labels_max =
            sample->label_count > memory->labels_max ? sample->label_count : memory->labels_max;
    }
}

static bool allocate(struct cprof_pprof_writer *writer)
{
    struct sample_memory *memory = &writer->samples;
    size_t labels;

    find_deepest(memory, writer->table);
    labels = (size_t)memory->labels_max * ENTRIES + 1;
    memory->location_ids =
        calloc((size_t)memory->depth_max * ENTRIES + 1, sizeof(*memory->location_ids));
    memory->labels = calloc(labels, sizeof(*memory->labels));
    memory->label_list = calloc(labels, sizeof(void *));
    writer->gzip = cprof_gzip_begin();
    return memory->location_ids && memory->labels && memory->label_list && writer->gzip;
}

struct cprof_pprof_writer *cprof_pprof_writer_create(const struct cprof_table *table)
{
    struct cprof_pprof_writer *writer = calloc(1, sizeof(*writer));

    if (!writer) {
        return NULL;
    }
    writer->table = table;
    if (!allocate(writer)) {
        cprof_pprof_writer_drop(writer);
        return NULL;
    }
    return writer;
}

static uint64_t known_text(const struct cprof_table *table, enum known_text text)
{
    return table->text_count + text;
}

/* Packs a part and compresses it. */
static void write_part(struct cprof_pprof_writer *writer, const profile_message *part)
{
    size_t bytes = perftools__profiles__profile__get_packed_size(part);

    if (bytes > writer->packed_capacity) {
        free(writer->packed);
        writer->packed = malloc(bytes);
        writer->packed_capacity = writer->packed ? bytes : 0;
    }
    if (!writer->packed) {
        writer->failed = writer->failed || bytes > 0;
        return;
    }
    (void)perftools__profiles__profile__pack(part, writer->packed);
    cprof_gzip_add(writer->gzip, writer->packed, bytes);
}

/* How many of `count` entries the next part has. */
static size_t part_of(const struct cprof_pprof_writer *writer, size_t count)
{
    size_t left = count - writer->next;

    return left < ENTRIES ? left : ENTRIES;
}

/* What the numbers of a sample mean. */
static void fill_types(const struct cprof_pprof_writer *writer, value_type_message *types)
{
    for (unsigned i = 0; i < SAMPLE_VALUES; i++) {
        perftools__profiles__value_type__init(&types[i]);
    }
    types[0].type = (int64_t)known_text(writer->table, TEXT_SAMPLE);
    types[0].unit = (int64_t)known_text(writer->table, TEXT_COUNT);
    types[1].type = (int64_t)known_text(writer->table, TEXT_KIND);
    types[1].unit = (int64_t)known_text(writer->table, TEXT_NANOSECONDS);
}

static size_t write_types(struct cprof_pprof_writer *writer)
{
    profile_message part = PERFTOOLS__PROFILES__PROFILE__INIT;
    value_type_message types[SAMPLE_VALUES], *list[] = {&types[0], &types[1]};

    fill_types(writer, types);
    part.n_sample_type = SAMPLE_VALUES;
    part.sample_type = list;
    write_part(writer, &part);
    return 0;
}

/* Numbers in the message count from 1, in the table from 0. */
static void fill_sample(struct cprof_pprof_writer *writer, size_t place)
{
    const struct cprof_table *table = writer->table;
    const struct cprof_sample *from = &table->samples[writer->next + place];
    struct sample_memory *memory = &writer->samples;
    sample_message *to = &memory->samples[place];

    perftools__profiles__sample__init(to);
    memory->values[place][0] = (int64_t)from->count;
    memory->values[place][1] = (int64_t)from->value_ns;
    to->n_value = SAMPLE_VALUES;
    to->value = memory->values[place];
    to->n_location_id = from->depth;
    to->location_id = memory->location_ids + place * memory->depth_max;
    for (uint32_t i = 0; i < from->depth; i++) {
        to->location_id[i] = (uint64_t)table->location_pool[from->first_location + i] + 1;
    }
    to->n_label = from->label_count;
    to->label = memory->label_list + place * memory->labels_max;
    for (uint32_t i = 0; i < from->label_count; i++) {
        label_message *label = &memory->labels[place * memory->labels_max + i];

        perftools__profiles__label__init(label);
        label->key = table->label_pool[from->first_label + i].key;
        label->str = table->label_pool[from->first_label + i].value;
        to->label[i] = label;
    }
    memory->sample_list[place] = to;
}

static size_t write_samples(struct cprof_pprof_writer *writer)
{
    profile_message part = PERFTOOLS__PROFILES__PROFILE__INIT;

    part.n_sample = part_of(writer, writer->table->sample_count);
    part.sample = writer->samples.sample_list;
    for (size_t i = 0; i < part.n_sample; i++) {
        fill_sample(writer, i);
    }
    write_part(writer, &part);
    return part.n_sample;
}

/* The first mapping is Python's code, which is in no object file; the table's follow. None is to
 * be looked up by a reader: all that is known stands in the functions. */
static void fill_mapping(mapping_message *to, const struct cprof_table *table, size_t place)
{
    perftools__profiles__mapping__init(to);
    to->id = place + 1;
    to->has_functions = 1;
    to->has_filenames = 1;
    to->has_line_numbers = 1;
    if (place > 0) {
        const struct cprof_mapping *from = &table->mappings[place - 1];

        to->memory_start = from->start;
        to->memory_limit = from->limit;
        to->file_offset = from->file_offset;
        to->filename = from->file;
        to->build_id = from->build_id;
    }
}

static size_t write_mappings(struct cprof_pprof_writer *writer)
{
    profile_message part = PERFTOOLS__PROFILES__PROFILE__INIT;
    mapping_message mappings[ENTRIES], *list[ENTRIES];

    part.n_mapping = part_of(writer, writer->table->mapping_count + 1);
    part.mapping = list;
    for (size_t i = 0; i < part.n_mapping; i++) {
        fill_mapping(&mappings[i], writer->table, writer->next + i);
        list[i] = &mappings[i];
    }
    write_part(writer, &part);
    return part.n_mapping;
}

static size_t write_locations(struct cprof_pprof_writer *writer)
{
    profile_message part = PERFTOOLS__PROFILES__PROFILE__INIT;
    location_message locations[ENTRIES], *list[ENTRIES];
    line_message lines[ENTRIES], *line_list[ENTRIES];

    part.n_location = part_of(writer, writer->table->location_count);
    part.location = list;
    for (size_t i = 0; i < part.n_location; i++) {
        const struct cprof_location *from = &writer->table->locations[writer->next + i];

        perftools__profiles__line__init(&lines[i]);
        lines[i].function_id = (uint64_t)from->function + 1;
        lines[i].line = from->line;
        line_list[i] = &lines[i];
        perftools__profiles__location__init(&locations[i]);
        locations[i].id = writer->next + i + 1;
        locations[i].mapping_id = (uint64_t)from->mapping + 1;
        locations[i].address = from->address;
        locations[i].n_line = 1;
        locations[i].line = &line_list[i];
        list[i] = &locations[i];
    }
    write_part(writer, &part);
    return part.n_location;
}

static size_t write_functions(struct cprof_pprof_writer *writer)
{
    profile_message part = PERFTOOLS__PROFILES__PROFILE__INIT;
    function_message functions[ENTRIES], *list[ENTRIES];

    part.n_function = part_of(writer, writer->table->function_count);
    part.function = list;
    for (size_t i = 0; i < part.n_function; i++) {
        const struct cprof_function *from = &writer->table->functions[writer->next + i];

        perftools__profiles__function__init(&functions[i]);
        functions[i].id = writer->next + i + 1;
        functions[i].name = from->name;
        functions[i].system_name = from->system_name;
        functions[i].filename = from->file;
        functions[i].start_line = from->first_line;
        list[i] = &functions[i];
    }
    write_part(writer, &part);
    return part.n_function;
}

static char *text_at(const struct cprof_table *table, size_t place)
{
    const char *const known[KNOWN_TEXTS] = {
        [TEXT_SAMPLE] = "sample",
        [TEXT_COUNT] = "count",
        [TEXT_KIND] = cprof_kind_name(table->kind),
        [TEXT_NANOSECONDS] = "nanoseconds",
    };

    /* Nobody writes to the texts of a message that is packed. */
    return place < table->text_count ? table->text_pool + table->texts[place].offset
                                     : (char *)(uintptr_t)known[place - table->text_count];
}

static size_t write_texts(struct cprof_pprof_writer *writer)
{
    profile_message part = PERFTOOLS__PROFILES__PROFILE__INIT;
    char *list[ENTRIES];

    part.n_string_table = part_of(writer, writer->table->text_count + KNOWN_TEXTS);
    part.string_table = list;
    for (size_t i = 0; i < part.n_string_table; i++) {
        list[i] = text_at(writer->table, writer->next + i);
    }
    write_part(writer, &part);
    return part.n_string_table;
}

/* Comments are one packed field, and few. */
static size_t write_rest(struct cprof_pprof_writer *writer)
{
    profile_message part = PERFTOOLS__PROFILES__PROFILE__INIT;
    const struct cprof_table *table = writer->table;
    int64_t *comments = calloc(table->comment_count + 1, sizeof(*comments));
    value_type_message types[SAMPLE_VALUES];

    if (!comments) {
        writer->failed = true;
        return 0;
    }
    for (size_t i = 0; i < table->comment_count; i++) {
        comments[i] = table->comments[i];
    }
    fill_types(writer, types);
    part.time_nanos = (int64_t)table->time_unix_ns;
    part.duration_nanos = (int64_t)table->duration_ns;
    part.period_type = &types[1];
    part.period = (int64_t)table->period_ns;
    part.n_comment = table->comment_count;
    part.comment = comments;
    part.default_sample_type = types[1].type;
    write_part(writer, &part);
    free(comments);
    return 0;
}

bool cprof_pprof_writer_step(struct cprof_pprof_writer *writer)
{
    static size_t (*const write_next[])(struct cprof_pprof_writer *) = {
        [STAGE_TYPES] = write_types,         [STAGE_SAMPLES] = write_samples,
        [STAGE_MAPPINGS] = write_mappings,   [STAGE_LOCATIONS] = write_locations,
        [STAGE_FUNCTIONS] = write_functions, [STAGE_TEXTS] = write_texts,
        [STAGE_REST] = write_rest,
    };
    size_t written;

    if (writer->stage == STAGE_DONE) {
        return false;
    }
    written = write_next[writer->stage](writer);
    writer->next += written;
    if (written < ENTRIES) {
        writer->stage++;
        writer->next = 0;
    }
    return writer->stage != STAGE_DONE;
}

void cprof_pprof_writer_drop(struct cprof_pprof_writer *writer)
{
    if (writer) {
        cprof_gzip_drop(writer->gzip);
        free(writer->samples.location_ids);
        free(writer->samples.labels);
        free((void *)writer->samples.label_list);
        free(writer->packed);
        free(writer);
    }
}

bool cprof_pprof_writer_finish(struct cprof_pprof_writer *writer, uint8_t **bytes,
                               size_t *byte_count, struct cprof_error *error)
{
    bool ok = !writer->failed;

    if (ok) {
        ok = cprof_gzip_end(writer->gzip, bytes, byte_count, error);
        writer->gzip = NULL;
    } else {
        cprof_fail(error, "no memory for a part of the profile");
    }
    cprof_pprof_writer_drop(writer);
    return ok;
}

bool cprof_pprof_write(uint8_t **bytes, size_t *byte_count, const struct cprof_table *table,
                       struct cprof_error *error)
{
    struct cprof_pprof_writer *writer = cprof_pprof_writer_create(table);

    *bytes = NULL;
    *byte_count = 0;
    if (!writer) {
        return cprof_fail(error, "no memory for a profile of %zu samples", table->sample_count);
    }
    while (cprof_pprof_writer_step(writer)) {
    }
    return cprof_pprof_writer_finish(writer, bytes, byte_count, error);
}
