#include "cli/junit.h"

#include <inttypes.h>

#include "pipeline/session_map.h"

struct counts {
    uint64_t tests, failures, errors, skipped, ns;
};

static enum skein_outcome outcome_of(const struct skein_verify_case *c) {
    return c->done ? c->outcome : SKEIN_OUTCOME_INTERRUPTED;
}

static void count(struct counts *n, const struct skein_verify_recording *rec) {
    for (size_t i = 0; i < rec->case_count; i++) {
        const enum skein_outcome o = outcome_of(&rec->cases[i]);
        n->tests++;
        n->failures += o == SKEIN_OUTCOME_DIVERGED;
        n->errors += o == SKEIN_OUTCOME_CRASHED || o == SKEIN_OUTCOME_UNREADABLE;
        n->skipped += o == SKEIN_OUTCOME_INTERRUPTED || o == SKEIN_OUTCOME_INCOMPLETE;
        n->ns += rec->cases[i].total_ns;
    }
}

/* Bytes of the UTF-8 sequence at s; 0: it is none, or of a character that XML does not have. */
static int sequence(const unsigned char *s) {
    const int n = *s < 0x80 ? 1 : *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : 2;
    if (n == 1)
        return *s >= ' ' || *s == '\t' || *s == '\n' || *s == '\r';
    if (*s < 0xc2 || *s > 0xf4)
        return 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    const uint32_t lead = (uint32_t)s[0] << 8 | s[1];
    const bool overlong = (n == 3 && lead < 0xe0a0) || (n == 4 && lead < 0xf090);
    const bool surrogate = lead >= 0xeda0 && lead <= 0xedbf;
    const bool none = n == 4 ? lead > 0xf48f : lead == 0xefbf && s[2] >= 0xbe;
    return overlong || surrogate || none ? 0 : n;
}

static void put(FILE *out, const char *text) {
    for (const unsigned char *s = (const void *)text; *s != '\0';) {
        const int n = sequence(s);
        if (n == 0)
            fputc('?', out);
        else if (*s == '&' || *s == '<' || *s == '>' || *s == '"' || *s < ' ')
            fprintf(out, "&#%d;", *s);
        else
            fwrite(s, 1, (size_t)n, out);
        s += n != 0 ? n : 1;
    }
}

static void attribute(FILE *out, const char *name, const char *value) {
    fprintf(out, " %s=\"", name);
    put(out, value);
    fputc('"', out);
}

static void put_counts(FILE *out, const struct counts *n) {
    fprintf(out,
            " tests=\"%" PRIu64 "\" failures=\"%" PRIu64 "\" errors=\"%" PRIu64
            "\" skipped=\"%" PRIu64 "\" time=\"%.6f\"",
            n->tests, n->failures, n->errors, n->skipped, (double)n->ns / 1e9);
}

static void put_divergence(FILE *out, const struct skein_divergence *d) {
    fprintf(out,
            "\nvCPU %" PRIu32 ", slice %" PRIu64 ", tick %" PRIu64 ", icount %" PRIu64
            ", PC 0x%" PRIx64 ": expected 0x%" PRIx64 ", got 0x%" PRIx64,
            d->vcpu, d->slice, d->tick, d->icount, d->pc, d->expected, d->got);
}

static void put_outcome(FILE *out, const struct skein_verify_case *c) {
    const enum skein_outcome o = outcome_of(c);
    const char *message = c->done ? c->error.text : "not run: interrupted";
    const char *element = o == SKEIN_OUTCOME_DIVERGED                                   ? "failure"
                          : o == SKEIN_OUTCOME_CRASHED || o == SKEIN_OUTCOME_UNREADABLE ? "error"
                                                                                        : "skipped";
    fprintf(out, "      <%s", element);
    attribute(out, "message", message);
    if (o == SKEIN_OUTCOME_INTERRUPTED || o == SKEIN_OUTCOME_INCOMPLETE) {
        fputs("/>\n", out);
        return;
    }
    attribute(out, "type", skein_outcome_name(o));
    fputc('>', out);
    put(out, message);
    if (c->has_divergence)
        put_divergence(out, &c->divergence);
    fprintf(out, "</%s>\n", element);
}

static void put_case(FILE *out, const struct skein_verify_recording *rec,
                     const struct skein_verify_case *c) {
    fputs("    <testcase", out);
    attribute(out, "classname", rec->dir);
    attribute(out, "name", c->name);
    fprintf(out, " time=\"%.6f\"", (double)c->total_ns / 1e9);
    if (outcome_of(c) == SKEIN_OUTCOME_SAME) {
        fputs("/>\n", out);
        return;
    }
    fputs(">\n", out);
    put_outcome(out, c);
    fputs("    </testcase>\n", out);
}

static void put_suite(FILE *out, const struct skein_verify_recording *rec) {
    struct counts n = {0};
    char uuid[37];
    count(&n, rec);
    fputs("  <testsuite", out);
    attribute(out, "name", rec->dir);
    put_counts(out, &n);
    fputs(">\n", out);
    if (rec->has_manifest) {
        skein_uuid_format(rec->manifest.uuid, uuid);
        fprintf(out,
                "    <properties>\n      <property name=\"uuid\" value=\"%s\"/>\n"
                "    </properties>\n",
                uuid);
    }
    for (size_t i = 0; i < rec->case_count; i++)
        put_case(out, rec, &rec->cases[i]);
    fputs("  </testsuite>\n", out);
}

void skein_junit_write(FILE *out, const struct skein_verify *v) {
    struct counts n = {0};
    for (size_t i = 0; i < v->recording_count; i++)
        count(&n, &v->recordings[i]);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"skein verify\"", out);
    put_counts(out, &n);
    fputs(">\n", out);
    for (size_t i = 0; i < v->recording_count; i++)
        put_suite(out, &v->recordings[i]);
    fputs("</testsuites>\n", out);
}
