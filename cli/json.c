#include "cli/json.h"

#include <inttypes.h>

static void put_string(FILE *out, const char *s) {
    fputc('"', out);
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void begin(struct skein_json *j, const char *name) {
    if (j->comma)
        fputc(',', j->out);
    j->comma = true;
    if (name == NULL)
        return;
    put_string(j->out, name);
    fputc(':', j->out);
}

void skein_json_open(struct skein_json *j, const char *name, char bracket) {
    begin(j, name);
    fputc(bracket, j->out);
    j->comma = false;
}

void skein_json_close(struct skein_json *j, char bracket) {
    fputc(bracket, j->out);
    j->comma = true;
}

void skein_json_string(struct skein_json *j, const char *name, const char *value) {
    begin(j, name);
    put_string(j->out, value);
}

void skein_json_u64(struct skein_json *j, const char *name, uint64_t value) {
    begin(j, name);
    fprintf(j->out, "%" PRIu64, value);
}

void skein_json_f64(struct skein_json *j, const char *name, double value) {
    begin(j, name);
    fprintf(j->out, "%.9g", value);
}

void skein_json_bool(struct skein_json *j, const char *name, bool value) {
    begin(j, name);
    fputs(value ? "true" : "false", j->out);
}

void skein_json_raw(struct skein_json *j, const char *name, const char *json) {
    begin(j, name);
    fputs(json, j->out);
}
