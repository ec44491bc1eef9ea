/*
 * Named points after each side effect that another process can see: a store to shared memory, a
 * write to a file, a rename. In an ordinary build they are nothing. In a build with
 * SKEIN_TEST_POINTS the test provides the function, which may count them, stop there, or end the
 * process: whatever it does, the process stands right behind the effect that the name tells.
 *
 * A name is "<file>.<what has just happened>", unique in the sources.
 */
#ifndef SKEIN_PIPELINE_TEST_POINT_H
#define SKEIN_PIPELINE_TEST_POINT_H

#ifdef SKEIN_TEST_POINTS
void skein_test_point(const char *name);
#define SKEIN_TEST_POINT(name)                                                                     \
    do {                                                                                           \
        /* The compiler must not move the effect behind the call. */                               \
        __asm__ volatile("" ::: "memory");                                                         \
        skein_test_point(name);                                                                    \
    } while (0)
#else
#define SKEIN_TEST_POINT(name) ((void)0)
#endif

#endif
