#include "pipeline/checkpoint_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/frame.h"
#include "proto/skein.pb-c.h"

const ProtobufCMessageDescriptor *skein_checkpoint_header_type(void) {
    return &skein__checkpoint_header__descriptor;
}

const ProtobufCMessageDescriptor *skein_checkpoint_footer_type(void) {
    return &skein__checkpoint_footer__descriptor;
}

int skein_checkpoint_header_build(const struct skein_checkpoint_header *header, uint8_t **frame,
                                  size_t *bytes) {
    struct skein_checkpoint_header copy = *header;
    const struct skein_checkpoint_cut *cut = &copy.cut;
    Skein__CheckpointHeader msg = SKEIN__CHECKPOINT_HEADER__INIT;
    uint64_t icount[SKEIN_MAX_VCPUS], digest[SKEIN_MAX_VCPUS];
    protobuf_c_boolean in_kernel[SKEIN_MAX_VCPUS];

    for (uint32_t i = 0; i < cut->vcpu_count; i++) {
        icount[i] = cut->vcpu[i].icount;
        digest[i] = cut->vcpu[i].digest;
        in_kernel[i] = cut->vcpu[i].in_kernel;
    }
    msg.uuid = (ProtobufCBinaryData){sizeof(copy.uuid), copy.uuid};
    msg.number = copy.number;
    msg.before_xxh64 = copy.before_xxh64;
    msg.n_clock = cut->clock.shard_count;
    msg.clock = copy.cut.clock.tick;
    msg.released_shard = cut->released_shard;
    msg.released_tick = cut->released_tick;
    msg.slices = cut->slices;
    msg.n_icount = msg.n_digest = msg.n_in_kernel = cut->vcpu_count;
    msg.icount = icount;
    msg.digest = digest;
    msg.in_kernel = in_kernel;
    msg.console_bytes = cut->console_bytes;
    msg.console_hash = cut->console_hash;
    msg.ram_digest = cut->ram_digest;
    return skein_frame_build(SKEIN_FRAME_CHECKPOINT, &msg.base, frame, bytes);
}

int skein_checkpoint_header_parse(const ProtobufCMessage *message,
                                  struct skein_checkpoint_header *header) {
    const Skein__CheckpointHeader *msg = (const void *)message;
    struct skein_checkpoint_cut *cut = &header->cut;
    const size_t vcpus = msg->n_icount;

    *header = (struct skein_checkpoint_header){.number = msg->number};
    if (msg->uuid.len != sizeof(header->uuid) || msg->number == 0 || vcpus == 0 ||
        vcpus > SKEIN_MAX_VCPUS || msg->n_digest != vcpus || msg->n_in_kernel != vcpus ||
        msg->n_clock != vcpus + 1 ||
        (msg->released_shard > vcpus && msg->released_shard != SKEIN_SHARD_NONE)) {
        return -EBADMSG;
    }
    memcpy(header->uuid, msg->uuid.data, sizeof(header->uuid));
    header->before_xxh64 = msg->before_xxh64;
    cut->clock.shard_count = (uint32_t)msg->n_clock;
    memcpy(cut->clock.tick, msg->clock, msg->n_clock * sizeof(*msg->clock));
    cut->released_shard = msg->released_shard;
    cut->released_tick = msg->released_tick;
    cut->slices = msg->slices;
    cut->console_bytes = msg->console_bytes;
    cut->console_hash = msg->console_hash;
    cut->ram_digest = msg->ram_digest;
    cut->vcpu_count = (uint32_t)vcpus;
    for (size_t i = 0; i < vcpus; i++) {
        cut->vcpu[i] = (struct skein_checkpoint_vcpu){
            .icount = msg->icount[i], .digest = msg->digest[i], .in_kernel = msg->in_kernel[i]};
        cut->icount += msg->icount[i];
    }
    return 0;
}

/* The lists of a footer's message, for building it. */
struct lists {
    Skein__RamBlock block[SKEIN_RAW_BLOCKS_MAX];
    Skein__RamBlock *blocks[SKEIN_RAW_BLOCKS_MAX];
    uint64_t *chunks; /* bytes, then hashes */
};

static void fill_lists(const struct skein_checkpoint_footer *footer, struct lists *l,
                       Skein__CheckpointFooter *msg) {
    for (size_t i = 0; i < footer->block_count; i++) {
        skein__ram_block__init(&l->block[i]);
        l->block[i].name = (char *)footer->blocks[i].name;
        l->block[i].offset = footer->blocks[i].offset;
        l->block[i].bytes = footer->blocks[i].bytes;
        l->blocks[i] = &l->block[i];
    }
    msg->n_blocks = footer->block_count;
    msg->blocks = l->blocks;
    msg->n_chunk_bytes = msg->n_chunk_xxh64 = footer->chunk_count;
    msg->chunk_bytes = l->chunks;
    msg->chunk_xxh64 = l->chunks + footer->chunk_count;
    for (size_t i = 0; i < footer->chunk_count; i++) {
        msg->chunk_bytes[i] = footer->chunks[i].bytes;
        msg->chunk_xxh64[i] = footer->chunks[i].xxh64;
    }
}

int skein_checkpoint_footer_build(const struct skein_checkpoint_header *header,
                                  uint64_t header_xxh64,
                                  const struct skein_checkpoint_footer *footer, uint8_t **frame,
                                  size_t *bytes) {
    struct skein_checkpoint_header copy = *header;
    Skein__CheckpointFooter msg = SKEIN__CHECKPOINT_FOOTER__INIT;
    struct lists lists;
    int rc = -ENOMEM;

    lists.chunks = malloc((2 * footer->chunk_count + 1) * sizeof(*lists.chunks));
    if (lists.chunks == NULL) {
        return rc;
    }
    msg.uuid = (ProtobufCBinaryData){sizeof(copy.uuid), copy.uuid};
    msg.number = header->number;
    msg.header_xxh64 = header_xxh64;
    msg.raw_bytes = footer->raw_bytes;
    msg.state_bytes = footer->part_bytes[SKEIN_CHECKPOINT_STATE];
    msg.state_before_ram = footer->state_before_ram;
    msg.contents = skein_checkpoint_contents(footer);
    msg.first_content = footer->first_content;
    msg.table_bytes = footer->part_bytes[SKEIN_CHECKPOINT_TABLE];
    msg.pages = footer->pages;
    msg.pages_zero = footer->pages_zero;
    msg.pages_shared = footer->pages_shared;
    fill_lists(footer, &lists, &msg);
    if (skein__checkpoint_footer__get_packed_size(&msg) <= SKEIN_FRAME_MESSAGE_MAX) {
        rc = skein_frame_build(SKEIN_FRAME_CHECKPOINT_FOOTER, &msg.base, frame, bytes);
    } else {
        rc = -EFBIG;
    }
    free(lists.chunks);
    return rc;
}

static bool counts_add_up(const Skein__CheckpointFooter *msg, uint64_t ram_pages) {
    return msg->pages <= ram_pages && msg->contents <= msg->pages &&
           msg->pages_zero <= msg->pages - msg->contents &&
           msg->pages_shared == msg->pages - msg->contents - msg->pages_zero &&
           msg->first_content <= INT64_MAX && msg->state_before_ram <= msg->state_bytes &&
           msg->state_bytes <= INT64_MAX &&
           msg->table_bytes <= skein_checkpoint_table_limit(msg->pages, msg->contents);
}

static int parse_blocks(const Skein__CheckpointFooter *msg, struct skein_checkpoint_footer *footer,
                        uint64_t *ram_pages) {
    *ram_pages = 0;
    if (msg->n_blocks > SKEIN_RAW_BLOCKS_MAX) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < msg->n_blocks; i++) {
        const Skein__RamBlock *from = msg->blocks[i];
        struct skein_raw_block *to = &footer->blocks[i];
        if (strlen(from->name) >= sizeof(to->name) || from->bytes % SKEIN_PAGE_BYTES != 0 ||
            from->bytes / SKEIN_PAGE_BYTES > (UINT64_C(1) << 40)) {
            return -EBADMSG;
        }
        strcpy(to->name, from->name);
        to->offset = from->offset;
        to->bytes = from->bytes;
        *ram_pages += from->bytes / SKEIN_PAGE_BYTES;
    }
    footer->block_count = msg->n_blocks;
    return 0;
}

int skein_checkpoint_footer_parse(const ProtobufCMessage *message,
                                  const struct skein_checkpoint_header *header,
                                  uint64_t header_xxh64, struct skein_checkpoint_footer *footer) {
    const Skein__CheckpointFooter *msg = (const void *)message;
    uint64_t ram_pages;

    if (msg->uuid.len != sizeof(header->uuid) ||
        memcmp(msg->uuid.data, header->uuid, sizeof(header->uuid)) != 0 ||
        msg->number != header->number || msg->header_xxh64 != header_xxh64 ||
        msg->n_chunk_bytes != msg->n_chunk_xxh64 || parse_blocks(msg, footer, &ram_pages) != 0 ||
        !counts_add_up(msg, ram_pages)) {
        return -EBADMSG;
    }
    footer->raw_bytes = msg->raw_bytes;
    footer->state_before_ram = msg->state_before_ram;
    footer->first_content = msg->first_content;
    footer->pages = msg->pages;
    footer->pages_zero = msg->pages_zero;
    footer->pages_shared = msg->pages_shared;
    footer->part_bytes[SKEIN_CHECKPOINT_STATE] = msg->state_bytes;
    footer->part_bytes[SKEIN_CHECKPOINT_CONTENTS] = msg->contents * SKEIN_PAGE_BYTES;
    footer->part_bytes[SKEIN_CHECKPOINT_TABLE] = msg->table_bytes;
    footer->chunk_count = msg->n_chunk_bytes;
    footer->chunks = calloc(msg->n_chunk_bytes + 1, sizeof(*footer->chunks));
    if (footer->chunks == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < msg->n_chunk_bytes; i++) {
        footer->chunks[i] = (struct skein_checkpoint_chunk){.bytes = msg->chunk_bytes[i],
                                                            .xxh64 = msg->chunk_xxh64[i]};
    }
    return 0;
}
