/*
 * The file of verify --resume: results so far, one line for each, which are appended and forced to
 * the disk as they come. A line that was not written whole does not count. Lines say which
 * recording they are of by its UUID and by a fingerprint of all its bytes and of QEMU.
 */
#ifndef SKEIN_CLI_VERIFY_STORE_H
#define SKEIN_CLI_VERIFY_STORE_H

#include "cli/verify.h"

struct skein_verify_store;

/* Makes the file if there is none. -EINVAL: it is something else; -EBUSY: somebody uses it. */
int skein_verify_store_open(const char *path, struct skein_verify_store **out,
                            struct skein_error *err);
void skein_verify_store_close(struct skein_verify_store *store);

/* Fills in what is known of the recording's cases. */
void skein_verify_store_recall(const struct skein_verify_store *store,
                               struct skein_verify_recording *rec);

/* Keeps a result, unless it is one that another try could change. */
int skein_verify_store_add(struct skein_verify_store *store,
                           const struct skein_verify_recording *rec,
                           const struct skein_verify_case *c, struct skein_error *err);

#endif
