#include "cli/checkpoint_taker.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "pipeline/atomics.h"

#define NAP_NS 2000000

/* Takes one; it is the packer who says which one may be next. */
static bool take(struct skein_checkpoint_taker *t, uint32_t n) {
    struct skein_session_header *h = skein_session_header(t->session);
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s.%" PRIu32, t->prefix, n);
    int ret = skein_checkpoint_packer_add(t->packer, path, &t->error);
    unlink(path);
    /* QEMU writes no other one as long as this one is not said to be packed. */
    if (ret == 0)
        skein_store_release_32(&h->checkpoints_packed, n);
    return ret == 0;
}

static void *follow(void *opaque) {
    const struct timespec nap = {.tv_nsec = NAP_NS};
    struct skein_checkpoint_taker *t = opaque;
    const struct skein_session_header *h = skein_session_header(t->session);
    bool end = false;
    while (!end) {
        end = skein_load_acquire_32(&t->end) != 0;
        /* Pairs with QEMU's release: the file is whole. */
        const uint32_t written = skein_load_acquire_32(&h->checkpoints);
        if (written == h->checkpoints_packed + 1) {
            if (!take(t, written))
                break;
        } else if (!end) {
            nanosleep(&nap, NULL);
        }
    }
    return NULL;
}

int skein_checkpoint_taker_start(struct skein_checkpoint_taker *t, struct skein_session *session,
                                 const char *prefix, const char *dir,
                                 const struct skein_manifest *manifest, uint64_t after,
                                 struct skein_error *err) {
    *t = (struct skein_checkpoint_taker){.session = session, .prefix = prefix};
    int ret = skein_checkpoint_packer_open(dir, manifest, after, &t->packer, err);
    if (ret != 0) {
        t->packer = NULL;
        return ret;
    }
    ret = -pthread_create(&t->thread, NULL, follow, t);
    if (ret != 0) {
        skein_checkpoint_packer_close(t->packer);
        t->packer = NULL;
        return skein_error_sys(err, ret, "cannot start a thread");
    }
    return 0;
}

void skein_checkpoint_taker_stop(struct skein_checkpoint_taker *t) {
    if (t->packer == NULL)
        return;
    skein_store_release_32(&t->end, 1);
    pthread_join(t->thread, NULL);
    if (t->error.text[0] != '\0')
        skein_fail(0, "there are no checkpoints after number %" PRIu64 ": %s",
                   skein_checkpoint_packer_last(t->packer), t->error.text);
    skein_checkpoint_packer_close(t->packer);
    t->packer = NULL;
}

void skein_checkpoint_discard(const struct skein_session_header *header, const char *prefix) {
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s.%" PRIu32, prefix, header->checkpoints_packed + 1);
    unlink(path);
}
