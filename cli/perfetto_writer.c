#include "cli/perfetto_writer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "cli/perfetto/perfetto.pb-c.h"

#define WRITER_ID 1u
#define NAMES_BEGIN 1u /* sequence_flags */
#define NAMES_USED 2u
#define PACKET_MAX_BYTES 4096u
#define BIN_NS 10000000ull /* of the counters */
#define ARGS_MAX 16u

typedef Skein__Perfetto__TracePacket packet_t;
typedef Skein__Perfetto__TrackEvent event_t;
typedef Skein__Perfetto__TrackDescriptor track_t;
typedef Skein__Perfetto__DebugAnnotation arg_t;
typedef Skein__Perfetto__InternedName name_t;

/* Tracks, counted from base_uuid; shards from TRACK_SHARDS on. */
enum { TRACK_RECORDING = 1, TRACK_HANDOFFS = 2, TRACK_BYTES = 3, TRACK_SHARDS = 4 };

/* Arguments: interned under their number plus one. */
enum arg_name {
    ARG_SLICE,
    ARG_TICK,
    ARG_ICOUNT,
    ARG_VECTOR,
    ARG_ERROR,
    ARG_CR2,
    ARG_RIP,
    ARG_REGS, /* six of them */
    ARG_LAST_TICK = ARG_REGS + SKEIN_SPAN_REGS,
    ARG_INSTRUCTIONS,
    ARG_BYTES,
    ARG_COUNT,
};
static const char *const arg_names[ARG_COUNT] = {
    "slice", "tick", "icount", "vector", "error code", "cr2",       "rip",          "rdi",
    "rsi",   "rdx",  "r10",    "r8",     "r9",         "last tick", "instructions", "log bytes"};

struct args {
    arg_t arg[ARGS_MAX];
    arg_t *list[ARGS_MAX];
    size_t count;
};

static int put_packet(struct skein_perfetto *p, packet_t *packet) {
    uint8_t bytes[PACKET_MAX_BYTES];
    uint8_t head[4] = {1 << 3 | 2}; /* Trace.packet, and how long it is */
    packet->has_trusted_packet_sequence_id = 1;
    packet->trusted_packet_sequence_id = WRITER_ID;
    const size_t len = skein__perfetto__trace_packet__get_packed_size(packet);
    assert(len <= sizeof(bytes)); /* names and titles are bounded by who calls */
    skein__perfetto__trace_packet__pack(packet, bytes);
    size_t used = 1;
    for (size_t rest = len; used == 1 || rest > 0; rest >>= 7)
        head[used++] = (uint8_t)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    if (fwrite(head, 1, used, p->out) != used || fwrite(bytes, 1, len, p->out) != len)
        return errno != 0 ? -errno : -EIO;
    return 0;
}

static uint64_t track_uuid(const struct skein_perfetto *p, uint64_t track) {
    return p->base_uuid + track;
}

static int put_track(struct skein_perfetto *p, uint64_t track, const char *name, int32_t rank,
                     Skein__Perfetto__CounterDescriptor *counter) {
    track_t t = SKEIN__PERFETTO__TRACK_DESCRIPTOR__INIT;
    packet_t packet = SKEIN__PERFETTO__TRACE_PACKET__INIT;
    t.has_uuid = t.has_parent_uuid = t.has_sibling_order_rank = 1;
    t.uuid = track_uuid(p, track);
    t.parent_uuid = track_uuid(p, TRACK_RECORDING);
    t.sibling_order_rank = rank;
    t.name = (char *)name;
    t.counter = counter;
    packet.track_descriptor = &t;
    return put_packet(p, &packet);
}

static int put_counter_track(struct skein_perfetto *p, uint64_t track, const char *name,
                             int32_t rank, Skein__Perfetto__CounterDescriptor__Unit unit) {
    Skein__Perfetto__CounterDescriptor counter = SKEIN__PERFETTO__COUNTER_DESCRIPTOR__INIT;
    counter.has_unit = 1;
    counter.unit = unit;
    return put_track(p, track, name, rank, &counter);
}

/* The first packet: the recording's track, and the names of arguments and categories. */
static int put_recording(struct skein_perfetto *p, const char *title) {
    track_t t = SKEIN__PERFETTO__TRACK_DESCRIPTOR__INIT;
    Skein__Perfetto__ProcessDescriptor process = SKEIN__PERFETTO__PROCESS_DESCRIPTOR__INIT;
    Skein__Perfetto__InternedData interned = SKEIN__PERFETTO__INTERNED_DATA__INIT;
    packet_t packet = SKEIN__PERFETTO__TRACE_PACKET__INIT;
    name_t names[ARG_COUNT + SKEIN_SPAN_TYPE_COUNT];
    name_t *list[ARG_COUNT + SKEIN_SPAN_TYPE_COUNT];
    for (size_t i = 0; i < ARG_COUNT + SKEIN_SPAN_TYPE_COUNT; i++) {
        skein__perfetto__interned_name__init(&names[i]);
        list[i] = &names[i];
        names[i].has_iid = 1;
        names[i].iid = (i < ARG_COUNT ? i : i - ARG_COUNT) + 1;
        names[i].name =
            (char *)(i < ARG_COUNT ? arg_names[i]
                                   : skein_span_type_name((enum skein_span_type)(i - ARG_COUNT)));
    }
    interned.debug_annotation_names = list;
    interned.n_debug_annotation_names = ARG_COUNT;
    interned.event_categories = list + ARG_COUNT;
    interned.n_event_categories = SKEIN_SPAN_TYPE_COUNT;
    process.has_pid = 1;
    process.pid = 1;
    process.process_name = (char *)title;
    t.has_uuid = t.has_child_ordering = 1;
    t.uuid = track_uuid(p, TRACK_RECORDING);
    t.name = (char *)title;
    t.child_ordering = SKEIN__PERFETTO__TRACK_DESCRIPTOR__CHILD_ORDERING__BY_RANK;
    t.process = &process;
    packet.track_descriptor = &t;
    packet.interned_data = &interned;
    packet.has_sequence_flags = 1;
    packet.sequence_flags = NAMES_BEGIN;
    return put_packet(p, &packet);
}

int skein_perfetto_start(struct skein_perfetto *p, FILE *out, const struct skein_spans *spans,
                         const struct skein_manifest *manifest, const char *title) {
    char name[32], shown[1024];
    const uint32_t shard_count = manifest->vcpu_count + 1;
    *p = (struct skein_perfetto){.out = out, .spans = spans};
    memcpy(&p->base_uuid, manifest->uuid, sizeof(p->base_uuid));
    snprintf(shown, sizeof(shown), "%s", title);
    int rc = put_recording(p, shown);
    for (uint32_t s = 0; s < shard_count && rc == 0; s++) {
        skein_span_lane_name(name, s, shard_count);
        rc = put_track(p, TRACK_SHARDS + s, name, (int32_t)s, NULL);
    }
    if (rc == 0)
        rc = put_counter_track(p, TRACK_HANDOFFS, "hand-offs per 10 ms", (int32_t)shard_count,
                               SKEIN__PERFETTO__COUNTER_DESCRIPTOR__UNIT__COUNT);
    if (rc == 0)
        rc = put_counter_track(p, TRACK_BYTES, "log bytes per 10 ms", (int32_t)shard_count + 1,
                               SKEIN__PERFETTO__COUNTER_DESCRIPTOR__UNIT__BYTES);
    return rc;
}

static arg_t *new_arg(struct args *a, enum arg_name name) {
    assert(a->count < ARGS_MAX);
    arg_t *arg = &a->arg[a->count];
    skein__perfetto__debug_annotation__init(arg);
    arg->has_name_iid = 1;
    arg->name_iid = (uint64_t)name + 1;
    a->list[a->count++] = arg;
    return arg;
}

static void number(struct args *a, enum arg_name name, uint64_t value) {
    arg_t *arg = new_arg(a, name);
    arg->has_uint_value = 1;
    arg->uint_value = value;
}

static void address(struct args *a, enum arg_name name, uint64_t value) {
    arg_t *arg = new_arg(a, name);
    arg->has_pointer_value = 1;
    arg->pointer_value = value;
}

static event_t make_event(const struct skein_perfetto *p, Skein__Perfetto__TrackEvent__Type type,
                          uint64_t track) {
    event_t e = SKEIN__PERFETTO__TRACK_EVENT__INIT;
    e.has_type = e.has_track_uuid = 1;
    e.type = type;
    e.track_uuid = track_uuid(p, track);
    return e;
}

/* Names go out with the first event that uses one of them, in the order of their numbers. */
static int put_names(struct skein_perfetto *p, uint32_t upto) {
    int rc = 0;
    for (; p->names_told <= upto && rc == 0; p->names_told++) {
        name_t name = SKEIN__PERFETTO__INTERNED_NAME__INIT;
        name_t *list[1] = {&name};
        Skein__Perfetto__InternedData interned = SKEIN__PERFETTO__INTERNED_DATA__INIT;
        packet_t packet = SKEIN__PERFETTO__TRACE_PACKET__INIT;
        name.has_iid = 1;
        name.iid = p->names_told + 1ull;
        name.name = (char *)skein_spans_name(p->spans, p->names_told);
        interned.n_event_names = 1;
        interned.event_names = list;
        packet.interned_data = &interned;
        packet.has_sequence_flags = 1;
        packet.sequence_flags = NAMES_USED;
        rc = put_packet(p, &packet);
    }
    return rc;
}

static int put_event(struct skein_perfetto *p, uint64_t ns, event_t *e, struct args *a) {
    packet_t packet = SKEIN__PERFETTO__TRACE_PACKET__INIT;
    if (a != NULL) {
        e->n_debug_annotations = a->count;
        e->debug_annotations = a->list;
    }
    packet.has_timestamp = packet.has_sequence_flags = 1;
    packet.timestamp = ns;
    packet.sequence_flags = NAMES_USED;
    packet.track_event = e;
    return put_packet(p, &packet);
}

static void entry_args(struct args *a, const struct skein_span *s) {
    if (s->type != SKEIN_SPAN_SYSCALL)
        number(a, ARG_VECTOR, s->vector);
    if (s->type == SKEIN_SPAN_EXCEPTION) {
        address(a, ARG_ERROR, s->error);
        if (s->cr2 != 0)
            address(a, ARG_CR2, s->cr2);
    }
    if (s->rip != 0)
        address(a, ARG_RIP, s->rip);
    if (s->type != SKEIN_SPAN_SYSCALL)
        return;
    for (uint32_t i = 0; i < SKEIN_SPAN_REGS; i++)
        if ((s->reg_mask >> i & 1) != 0)
            address(a, (enum arg_name)(ARG_REGS + i), s->reg[i]);
}

static int begin(void *opaque, const struct skein_span *s) {
    struct skein_perfetto *p = opaque;
    struct args a = {.count = 0};
    uint64_t category = (uint64_t)s->type + 1;
    uint64_t flow = p->base_uuid + s->slice;
    event_t e =
        make_event(p, SKEIN__PERFETTO__TRACK_EVENT__TYPE__SLICE_BEGIN, TRACK_SHARDS + s->shard);
    e.has_name_iid = 1;
    e.name_iid = s->name + 1ull;
    e.n_category_iids = 1;
    e.category_iids = &category;
    if (s->follows) {
        e.n_terminating_flow_ids = 1;
        e.terminating_flow_ids = &flow;
    }
    number(&a, ARG_SLICE, s->slice);
    number(&a, ARG_TICK, s->first_tick);
    number(&a, ARG_ICOUNT, s->first_icount);
    if (s->entered)
        entry_args(&a, s);
    const int rc = put_names(p, s->name);
    return rc != 0 ? rc : put_event(p, s->begin_ns, &e, &a);
}

static int instant(void *opaque, const struct skein_instant *i) {
    struct skein_perfetto *p = opaque;
    struct args a = {.count = 0};
    event_t e = make_event(p, SKEIN__PERFETTO__TRACK_EVENT__TYPE__INSTANT, TRACK_SHARDS + i->shard);
    e.has_name_iid = 1;
    e.name_iid = i->name + 1ull;
    number(&a, ARG_TICK, i->tick);
    number(&a, ARG_ICOUNT, i->icount);
    const int rc = put_names(p, i->name);
    return rc != 0 ? rc : put_event(p, i->ns, &e, &a);
}

static int put_counter(struct skein_perfetto *p, uint64_t bin, uint64_t track, uint64_t value) {
    event_t e = make_event(p, SKEIN__PERFETTO__TRACK_EVENT__TYPE__COUNTER, track);
    e.has_counter_value = 1;
    e.counter_value = (int64_t)value;
    return put_event(p, bin * BIN_NS, &e, NULL);
}

static int put_counters(struct skein_perfetto *p, uint64_t bin, uint64_t handoffs, uint64_t bytes) {
    const int rc = put_counter(p, bin, TRACK_HANDOFFS, handoffs);
    return rc != 0 ? rc : put_counter(p, bin, TRACK_BYTES, bytes);
}

/* Closes the bin that has been counted, once something happens in a later one. */
static int count_until(struct skein_perfetto *p, uint64_t bin) {
    int rc = 0;
    if (bin == p->bin)
        return 0;
    if (p->bin_bytes > 0)
        rc = put_counters(p, p->bin, p->bin_handoffs, p->bin_bytes);
    if (rc == 0 && p->bin_bytes > 0 && bin > p->bin + 1)
        rc = put_counters(p, p->bin + 1, 0, 0);
    p->bin = bin;
    p->bin_bytes = p->bin_handoffs = 0;
    return rc;
}

static int end(void *opaque, const struct skein_span *s) {
    struct skein_perfetto *p = opaque;
    struct args a = {.count = 0};
    uint64_t flow = p->base_uuid + s->next_slice;
    event_t e =
        make_event(p, SKEIN__PERFETTO__TRACK_EVENT__TYPE__SLICE_END, TRACK_SHARDS + s->shard);
    if (s->gives) {
        e.n_flow_ids = 1;
        e.flow_ids = &flow;
    }
    number(&a, ARG_LAST_TICK, s->last_tick);
    number(&a, ARG_INSTRUCTIONS, s->last_icount - s->first_icount);
    number(&a, ARG_BYTES, s->bytes);
    int rc = put_event(p, s->end_ns, &e, &a);
    if (rc == 0)
        rc = count_until(p, s->end_ns / BIN_NS);
    p->bin_bytes += s->bytes;
    p->bin_handoffs += s->gives ? 1 : 0;
    return rc;
}

struct skein_span_sink skein_perfetto_sink(struct skein_perfetto *p) {
    return (struct skein_span_sink){.opaque = p, .begin = begin, .instant = instant, .end = end};
}

int skein_perfetto_finish(struct skein_perfetto *p) {
    return count_until(p, p->bin + 2);
}
