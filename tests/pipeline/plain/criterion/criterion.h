/*
 * The few names of criterion that our tests use, for sanitizers: ThreadSanitizer has taken the
 * addresses that criterion's process sandbox needs, and AddressSanitizer finds leaks in criterion
 * itself. Tests run one after the other in this process.
 */
#ifndef SKEIN_TESTS_PIPELINE_PLAIN_CRITERION_H
#define SKEIN_TESTS_PIPELINE_PLAIN_CRITERION_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct plain_test {
    const char *name;
    void (*run)(void);
    struct plain_test *next;
};

static struct plain_test *plain_tests;

#define Test(suite, test, ...)                                                                     \
    static void suite##_##test(void);                                                              \
    __attribute__((constructor)) static void suite##_##test##_add(void) {                          \
        static struct plain_test t = {#suite "::" #test, suite##_##test, NULL};                    \
        t.next = plain_tests;                                                                      \
        plain_tests = &t;                                                                          \
    }                                                                                              \
    static void suite##_##test(void)

#define cr_assert(condition, ...)                                                                  \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
#define cr_assert_not(condition, ...) cr_assert(!(condition))
#define cr_assert_eq(a, b, ...) cr_assert((a) == (b))
#define cr_assert_neq(a, b, ...) cr_assert((a) != (b))
#define cr_assert_lt(a, b, ...) cr_assert((a) < (b))
#define cr_assert_leq(a, b, ...) cr_assert((a) <= (b))
#define cr_assert_gt(a, b, ...) cr_assert((a) > (b))
#define cr_assert_geq(a, b, ...) cr_assert((a) >= (b))
#define cr_assert_str_eq(a, b, ...) cr_assert(strcmp((a), (b)) == 0)
#define cr_assert_str_empty(a, ...) cr_assert((a)[0] == 0)
#define cr_assert_null(p, ...) cr_assert((p) == NULL)
#define cr_assert_not_null(p, ...) cr_assert((p) != NULL)

int main(void) {
    int count = 0;
    for (struct plain_test *t = plain_tests; t != NULL; t = t->next, count++) {
        printf("%s\n", t->name);
        fflush(stdout);
        t->run();
    }
    printf("Synthesis: Tested: %d | Passing: %d | Failing: 0 | Crashing: 0\n", count, count);
    return 0;
}

#endif
