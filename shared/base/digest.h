/* digest.h - a number that stands for a text (FNV-1a, 64 bits): to tell texts apart, no protection
 * against somebody who looks for two that give the same.
 *
 * Callers   any. Begins with CPROF_DIGEST_BEGIN. The NUL counts, so that two texts in a row differ
 *           from two others that join to the same letters.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_DIGEST_H
#define CPROF_DIGEST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CPROF_DIGEST_BEGIN UINT64_C(0xcbf29ce484222325)

static inline uint64_t cprof_digest_text(uint64_t digest, const char *text)
{
    for (size_t i = 0; i <= strlen(text); i++) {
        digest = (digest ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    }
    return digest;
}

#endif
