/* expect.h - all that a unit test needs: EXPECT ends the test program at the first thing that is
 * not as it should be, RUN says which test it was.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_EXPECT_H
#define CPROF_EXPECT_H

#include <stdio.h>
#include <stdlib.h>

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition);         \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define RUN(test)                                                                                  \
    do {                                                                                           \
        (void)fprintf(stderr, "%s\n", #test);                                                      \
        test();                                                                                    \
    } while (0)

#endif
