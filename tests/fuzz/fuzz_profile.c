/* fuzz_profile.c - profile files as `cloudprofiler-gateway --top` reads them
 * (gateway/profile/pprof.h). The input is compressed first: a checksum would keep all else out.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "../../gateway/profile/gzip.h"
#include "../../gateway/profile/pprof.h"
#include "../unit/expect.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cprof_table table;
    struct cprof_error error = {0};
    uint8_t *bytes;
    size_t byte_count;

    EXPECT(cprof_gzip(&bytes, &byte_count, data ? data : (const uint8_t *)"", size, &error));
    cprof_table_init(&table);
    if (!cprof_pprof_read(&table, bytes, byte_count, &error)) {
        EXPECT(error.text[0] != '\0');
    }
    cprof_table_reset(&table);
    free(bytes);
    return 0;
}
