/* Which atomics a build uses: ck's, or the ones that ThreadSanitizer understands. */
#include "pipeline/atomics.h"

#include <criterion/criterion.h>
#include <stdbool.h>

#ifdef CK_PR_H
static const bool has_ck = true;
#else
static const bool has_ck = false;
#endif

#ifdef __SANITIZE_THREAD__
static const bool watched = true;
#else
static const bool watched = false;
#endif

Test(atomics, threads_are_watched_without_cks_assembly) {
    cr_assert_eq(has_ck, !watched);
}

Test(atomics, hold_what_was_stored) {
    uint64_t wide = 1;
    uint32_t narrow = 1;

    skein_store_release_64(&wide, UINT64_MAX);
    cr_assert_eq(skein_load_acquire_64(&wide), UINT64_MAX);
    skein_store_relaxed_64(&wide, 7);
    cr_assert_eq(skein_load_relaxed_64(&wide), 7u);
    skein_store_release_32(&narrow, UINT32_MAX);
    cr_assert_eq(skein_load_acquire_32(&narrow), UINT32_MAX);
}
