/*
 * The atomic accesses of the shard, and nothing else: ck_pr by default; C11 atomics with
 * SKEIN_ATOMICS_C11, because ThreadSanitizer and model checkers cannot see ck's inline assembly.
 * ck's fences are compiler barriers on x86 and real ones elsewhere.
 */
#ifndef SKEIN_PIPELINE_ATOMICS_H
#define SKEIN_PIPELINE_ATOMICS_H

#include <stdint.h>

#ifdef SKEIN_ATOMICS_C11

#include <stdatomic.h>

static inline uint64_t skein_load_relaxed_64(const uint64_t *p) {
    return atomic_load_explicit((const _Atomic uint64_t *)p, memory_order_relaxed);
}

static inline uint64_t skein_load_acquire_64(const uint64_t *p) {
    return atomic_load_explicit((const _Atomic uint64_t *)p, memory_order_acquire);
}

static inline void skein_store_relaxed_64(uint64_t *p, uint64_t value) {
    atomic_store_explicit((_Atomic uint64_t *)p, value, memory_order_relaxed);
}

static inline void skein_store_release_64(uint64_t *p, uint64_t value) {
    atomic_store_explicit((_Atomic uint64_t *)p, value, memory_order_release);
}

static inline uint32_t skein_load_acquire_32(const uint32_t *p) {
    return atomic_load_explicit((const _Atomic uint32_t *)p, memory_order_acquire);
}

static inline void skein_store_release_32(uint32_t *p, uint32_t value) {
    atomic_store_explicit((_Atomic uint32_t *)p, value, memory_order_release);
}

static inline void skein_cpu_relax(void) {
    atomic_signal_fence(memory_order_seq_cst);
}

#else

#include <ck_pr.h>

static inline uint64_t skein_load_relaxed_64(const uint64_t *p) {
    return ck_pr_load_64(p);
}

static inline uint64_t skein_load_acquire_64(const uint64_t *p) {
    uint64_t value = ck_pr_load_64(p);

    ck_pr_fence_acquire();
    return value;
}

static inline void skein_store_relaxed_64(uint64_t *p, uint64_t value) {
    ck_pr_store_64(p, value);
}

static inline void skein_store_release_64(uint64_t *p, uint64_t value) {
    ck_pr_fence_release();
    ck_pr_store_64(p, value);
}

static inline uint32_t skein_load_acquire_32(const uint32_t *p) {
    uint32_t value = ck_pr_load_32(p);

    ck_pr_fence_acquire();
    return value;
}

static inline void skein_store_release_32(uint32_t *p, uint32_t value) {
    ck_pr_fence_release();
    ck_pr_store_32(p, value);
}

static inline void skein_cpu_relax(void) {
    ck_pr_stall();
}

#endif

#endif
