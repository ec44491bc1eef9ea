/*
 * Almost only user mode: every CPU multiplies matrices in one process and sieves primes in two
 * threads of another. The argument scales the work.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib.h"

enum { N = 64, LIMIT = 200000, PRIMES = 17984, SIEVES = 4 };

static long scale;

static void multiply(int index) {
    static uint32_t a[N][N];
    static uint32_t b[N][N];
    static uint32_t c[N][N];
    uint64_t state = (uint64_t)index;
    for (int i = 0; i < N * N; i++) {
        a[i / N][i % N] = (uint32_t)next_random(&state);
    }
    memset(b, 0, sizeof(b));
    for (int i = 0; i < N; i++) {
        b[i][N - 1 - i] = 1; /* mirrors the columns; twice is the identity */
    }
    for (long round = 0; round < 8 * scale; round++) {
        memcpy(c, a, sizeof(c));
        for (int twice = 0; twice < 2; twice++) {
            static uint32_t out[N][N];
            for (int i = 0; i < N; i++) {
                for (int j = 0; j < N; j++) {
                    uint32_t sum = 0;
                    for (int k = 0; k < N; k++) {
                        sum += c[i][k] * b[k][j];
                    }
                    out[i][j] = sum;
                }
            }
            memcpy(c, out, sizeof(c));
        }
        CHECK(memcmp(a, c, sizeof(a)) == 0, "a matrix mirrored twice is not itself");
    }
}

static void *sieve(void *opaque) {
    (void)opaque;
    char *composite = calloc(LIMIT, 1);
    CHECK(composite != NULL, "calloc");
    for (long round = 0; round < SIEVES * scale; round++) {
        int primes = 0;
        memset(composite, 0, LIMIT);
        for (int i = 2; i < LIMIT; i++) {
            primes += composite[i] == 0;
            for (int j = 2 * i; composite[i] == 0 && j < LIMIT; j += i) {
                composite[j] = 1;
            }
        }
        CHECK(primes == PRIMES, "%d primes", primes);
    }
    free(composite);
    return NULL;
}

static void sieves(int index) {
    (void)index;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        CHECK(pthread_create(&threads[i], NULL, sieve, NULL) == 0, "pthread_create");
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void both(int index) {
    if (index % 2 == 0) {
        multiply(index);
    } else {
        sieves(index);
    }
}

int workload_user(int argc, char **argv) {
    scale = arg_number(argc, argv, 1, 4);
    run_children(2 * cpu_count(), both);
    ok("user: matrices and primes");
    return 0;
}
