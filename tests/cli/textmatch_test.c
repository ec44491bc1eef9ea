#include "cli/textmatch.h"

#include <criterion/criterion.h>
#include <string.h>

static bool feed(struct skein_textmatch *m, const char *bytes, size_t *used) {
    return skein_textmatch_feed(m, bytes, strlen(bytes), used);
}

Test(textmatch, finds_a_text_in_one_piece) {
    struct skein_textmatch m;
    size_t used;
    skein_textmatch_init(&m, "READY");
    cr_assert(!feed(&m, "not yet", &used));
    cr_assert_eq(used, 7);
    cr_assert(feed(&m, "it is READY now", &used));
    cr_assert_eq(used, 11);
}

Test(textmatch, finds_a_text_across_any_cut) {
    static const char stream[] = "xxaabaabaaabyy"; /* "aabaaab" needs a fall-back of 3 */
    for (size_t cut = 0; cut < sizeof(stream) - 1; cut++) {
        struct skein_textmatch m;
        size_t used;
        skein_textmatch_init(&m, "aabaaab");
        bool first = skein_textmatch_feed(&m, stream, cut, &used);
        bool second = skein_textmatch_feed(&m, stream + cut, sizeof(stream) - 1 - cut, &used);
        cr_assert(first != second, "cut at %zu", cut);
    }
}

Test(textmatch, finds_it_again_and_overlapping) {
    struct skein_textmatch m;
    size_t used;
    skein_textmatch_init(&m, "aa");
    cr_assert(feed(&m, "aaa", &used));
    cr_assert_eq(used, 2);
    cr_assert(feed(&m, "a", &used));
}

Test(textmatch, takes_one_byte_and_the_longest) {
    char text[SKEIN_TEXT_MAX + 1] = {0};
    struct skein_textmatch m;
    size_t used;
    skein_textmatch_init(&m, "x");
    cr_assert(feed(&m, "x", &used));
    memset(text, 'z', SKEIN_TEXT_MAX);
    skein_textmatch_init(&m, text);
    cr_assert(!skein_textmatch_feed(&m, text, SKEIN_TEXT_MAX - 1, &used));
    cr_assert(feed(&m, "z", &used));
}
