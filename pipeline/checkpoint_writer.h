/*
 * Writes a packed checkpoint, crash-safely: as NNNNNN.skc.partial, front to back; then fsync, the
 * final name, fsync of the directory.
 */
#ifndef SKEIN_PIPELINE_CHECKPOINT_WRITER_H
#define SKEIN_PIPELINE_CHECKPOINT_WRITER_H

#include "pipeline/checkpoint_file.h"

struct skein_checkpoint_writer;

/* Creates the file, with its header. An old .partial of that number is overwritten. */
int skein_checkpoint_writer_open(const char *dir, const struct skein_checkpoint_header *header,
                                 struct skein_checkpoint_writer **out, struct skein_error *err);

/* Bytes of the part at hand: the state first, then page contents, then the table. */
int skein_checkpoint_writer_add(struct skein_checkpoint_writer *w, const void *bytes, size_t n,
                                struct skein_error *err);
int skein_checkpoint_writer_end_part(struct skein_checkpoint_writer *w, struct skein_error *err);

/*
 * After the last part. The footer's parts and chunks are the writer's own. *footer_xxh64: what the
 * next checkpoint is built on. The writer is freed, whatever the result.
 */
int skein_checkpoint_writer_seal(struct skein_checkpoint_writer *w,
                                 const struct skein_checkpoint_footer *footer,
                                 uint64_t *footer_xxh64, struct skein_error *err);

/* Removes what was written, and frees. */
void skein_checkpoint_writer_abandon(struct skein_checkpoint_writer *w);

#endif
