#include "cli/timeline_page.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/json.h"
#include "cli/report.h"
#include "cli/timeline/template.h"
#include "pipeline/session_map.h"

static void put_names(struct skein_json *j, const struct skein_spans *spans,
                      const struct skein_timeline_rows *rows) {
    skein_json_open(j, "names", '[');
    for (uint32_t i = 0; i < skein_spans_name_count(spans); i++) {
        skein_json_open(j, NULL, '{');
        skein_json_string(j, "name", skein_spans_name(spans, i));
        skein_json_u64(j, "type", skein_spans_name_type(spans, i));
        skein_json_u64(j, "spans", rows->by_name[i].spans);
        skein_json_u64(j, "ns", rows->by_name[i].ns);
        skein_json_close(j, '}');
    }
    skein_json_close(j, ']');
}

static void put_bins(struct skein_json *j, const struct skein_timeline_bins *b) {
    skein_json_open(j, "bins", '{');
    skein_json_u64(j, "count", SKEIN_TIMELINE_BINS);
    skein_json_u64(j, "start_ns", b->start_ns);
    skein_json_u64(j, "width_ns", b->width_ns);
    skein_json_close(j, '}');
}

static void put_lists(struct skein_json *j, uint32_t shard_count) {
    char lane[32];
    skein_json_open(j, "lanes", '[');
    for (uint32_t s = 0; s < shard_count; s++) {
        skein_span_lane_name(lane, s, shard_count);
        skein_json_string(j, NULL, lane);
    }
    skein_json_close(j, ']');
    skein_json_open(j, "types", '[');
    for (int t = 0; t < SKEIN_SPAN_TYPE_COUNT; t++)
        skein_json_string(j, NULL, skein_span_type_name((enum skein_span_type)t));
    skein_json_close(j, ']');
}

static void put_recording(struct skein_json *j, const struct skein_span_walk *w) {
    const struct skein_manifest *m = skein_recording_manifest(w->opened.rec);
    uint64_t lost_blocks, lost_bytes;
    char uuid[37];
    skein_recording_losses(w->opened.rec, &lost_blocks, &lost_bytes);
    skein_uuid_format(m->uuid, uuid);
    skein_json_string(j, "title", w->dir);
    skein_json_string(j, "uuid", uuid);
    skein_json_u64(j, "created_ms", m->created_unix_ns / 1000000);
    skein_json_string(j, "scope", skein_scope_name(m->scope));
    skein_json_string(j, "kernel", m->kernel.path);
    skein_json_string(j, "cmdline", m->cmdline);
    skein_json_bool(j, "complete", skein_recording_complete(w->opened.rec));
    skein_json_bool(j, "damaged", lost_blocks != 0 || lost_bytes != 0);
    skein_json_string(j, "end", m->end != 0 ? skein_end_name(m->end) : "");
    skein_json_bool(j, "timed", m->tsc_hz != 0);
    skein_json_u64(j, "events", skein_recording_events(w->opened.rec));
    skein_json_bool(j, "cut_from", w->range.from_ns != 0);
    skein_json_bool(j, "cut_to", w->range.to_ns != UINT64_MAX);
}

static void put_facts(FILE *out, const struct skein_span_walk *w,
                      const struct skein_timeline_rows *rows) {
    struct skein_json j = {.out = out};
    skein_json_open(&j, NULL, '{');
    put_recording(&j, w);
    skein_json_u64(&j, "spans", rows->span_count);
    skein_json_u64(&j, "slices", rows->slice_count);
    skein_json_u64(&j, "instants", rows->instant_count);
    skein_json_u64(&j, "max", rows->max);
    skein_json_bool(&j, "has_rows", rows->rows != NULL);
    skein_json_bool(&j, "has_instants", rows->instants != NULL);
    skein_json_u64(&j, "first_ns", rows->first_ns);
    skein_json_u64(&j, "last_ns", rows->last_ns);
    put_lists(&j, skein_recording_shard_count(w->opened.rec));
    put_names(&j, w->spans, rows);
    put_bins(&j, &rows->bins);
    skein_json_close(&j, '}');
}

/* A "<" in a name must not end the script that the facts are in. */
static int put_facts_escaped(FILE *out, const struct skein_span_walk *w,
                             const struct skein_timeline_rows *rows) {
    char *text = NULL;
    size_t len = 0;
    FILE *mem = open_memstream(&text, &len);
    if (mem == NULL)
        return -ENOMEM;
    put_facts(mem, w, rows);
    if (fclose(mem) != 0) {
        free(text);
        return -ENOMEM;
    }
    fputs("<script type=\"application/json\" id=\"facts\">", out);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '<')
            fputs("\\u003c", out);
        else
            fputc(text[i], out);
    }
    fputs("</script>\n", out);
    free(text);
    return 0;
}

static int put_stream(FILE *out, const char *id, struct skein_packed *stream) {
    fprintf(out, "<script type=\"text/plain\" id=\"%s\">", id);
    if (stream != NULL) {
        const int rc = skein_packed_finish(stream);
        if (rc != 0)
            return rc;
        skein_packed_base64(stream, out);
    }
    fputs("</script>\n", out);
    return 0;
}

static int put_bin_stream(FILE *out, const struct skein_timeline_bins *b) {
    struct skein_packed *packed;
    int rc = skein_packed_create(&packed);
    if (rc != 0)
        return rc;
    skein_timeline_bins_pack(b, packed);
    rc = put_stream(out, "bins", packed);
    skein_packed_free(packed);
    return rc;
}

int skein_timeline_page_write(FILE *out, const struct skein_span_walk *walk,
                              struct skein_timeline_rows *rows) {
    fwrite(skein_timeline_head, 1, skein_timeline_head_bytes, out);
    int rc = put_facts_escaped(out, walk, rows);
    if (rc == 0)
        rc = put_stream(out, "rows", rows->rows);
    if (rc == 0)
        rc = put_stream(out, "instants", rows->instants);
    if (rc == 0)
        rc = put_bin_stream(out, &rows->bins);
    fwrite(skein_timeline_tail, 1, skein_timeline_tail_bytes, out);
    if (rc == 0 && ferror(out) != 0)
        rc = errno != 0 ? -errno : -EIO;
    return rc;
}
