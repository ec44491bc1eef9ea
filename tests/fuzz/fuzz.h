/*
 * What every fuzzer here has: one function that takes any bytes and must not crash, hang or leak,
 * and one that gives the inputs to start from. libFuzzer calls the first one; so does driver.c.
 */
#ifndef SKEIN_TESTS_FUZZ_FUZZ_H
#define SKEIN_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

typedef void (*fuzz_add)(const uint8_t *bytes, size_t size);
void fuzz_seeds(fuzz_add add);

/* An input that is read from the front; zeros come after its end. */
struct fuzz_input {
    const uint8_t *bytes;
    size_t left;
};

uint64_t fuzz_take(struct fuzz_input *in, size_t bytes); /* little-endian; at most 8 */

/* What must hold, whatever the input: prints the condition and aborts if it does not. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fuzz_broken(#condition, __FILE__, __LINE__);                                           \
        }                                                                                          \
    } while (0)
_Noreturn void fuzz_broken(const char *condition, const char *file, int line);

/* A directory of this process, made at the first call and removed at its exit. */
const char *fuzz_dir(void);

/* Makes checksums fit again: of every frame in a file's bytes and of the data of every block. */
void fuzz_reseal(uint8_t *file, size_t size);

#endif
