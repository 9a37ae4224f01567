/* collapsed.c - see collapsed.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "collapsed.h"

static void write_name(FILE *out, const char *name)
{
    for (; *name; name++) {
        (void)fputc(*name == ';' ? ':' : *name, out);
    }
}

void cprof_collapsed_write(FILE *out, const struct cprof_table *table)
{
    for (size_t i = 0; i < table->sample_count; i++) {
        const struct cprof_sample *sample = &table->samples[i];
        const uint32_t *stack = table->location_pool + sample->first_location;

        if (sample->depth == 0 || sample->value_ns == 0) {
            continue;
        }
        for (uint32_t j = sample->depth; j > 0; j--) {
            uint32_t function = table->locations[stack[j - 1]].function;

            write_name(out, cprof_table_text_at(table, table->functions[function].name));
            (void)fputc(j > 1 ? ';' : ' ', out);
        }
        (void)fprintf(out, "%llu\n", (unsigned long long)sample->value_ns);
    }
}
