/*
 * What is whole in a segment file, however damaged the rest of it is: every block whose header and
 * data have the right checksums and decode, also when the segment's own header is gone.
 */
#ifndef SKEIN_PIPELINE_SALVAGE_H
#define SKEIN_PIPELINE_SALVAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/error.h"
#include "pipeline/segment.h"

struct skein_salvage_block {
    uint64_t offset; /* of the block data in the file */
    uint64_t data_bytes;
    uint64_t number;
    uint64_t lost_before; /* bytes passed over between it and what was whole before it */
    struct skein_block_info info;
    uint64_t slices_after;
    uint32_t last_shard;                 /* whose event is the last one */
    uint32_t end;                        /* arg of its last END; 0: it has none */
    uint64_t console_bytes;              /* the guest's, as that END says */
    uint8_t last_kind[SKEIN_MAX_SHARDS]; /* of each shard's last event; 0: it has none */
};

struct skein_salvage {
    char *path;
    const uint8_t *bytes; /* the file, mapped */
    uint64_t size;
    bool intact; /* the strict reader accepts it, and it is sealed */
    bool has_start;
    struct skein_segment_start start; /* of its header; else as its name and first block say */
    size_t block_count;
    struct skein_salvage_block *blocks;
    uint64_t lost_after; /* bytes passed over behind the last block, torn ends included */
    uint64_t known[SKEIN_MAX_SHARDS]; /* the last ticks that a whole frame says there were */
    struct skein_stats stats;         /* counted */
};

/* Which recording: the first whole frame of any segment says it, if the manifest is lost. */
struct skein_salvage_identity {
    bool known;
    uint8_t uuid[16];
    uint32_t shard_count;
};

/*
 * Reads all of the file. `number` is what its name says. An identity that is not known becomes that
 * of the first whole frame; frames of another recording are passed over. What is damaged is no
 * error, except that the file cannot be read or is of another format version (-EPROTO).
 */
int skein_salvage_open(const char *path, uint64_t number, struct skein_salvage_identity *identity,
                       struct skein_salvage **out, struct skein_error *err);
void skein_salvage_close(struct skein_salvage *file);

/* The number in NNNNNN.skn or NNNNNN.skn.partial; 0 for other names. */
uint64_t skein_segment_name_number(const char *name);

#endif
