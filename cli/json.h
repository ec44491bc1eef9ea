/* Writes JSON, one member after another; commas and quoting are taken care of. */
#ifndef SKEIN_CLI_JSON_H
#define SKEIN_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct skein_json {
    FILE *out;
    bool comma; /* the next member needs one in front */
};

/* name: NULL inside arrays and at the top. */
void skein_json_open(struct skein_json *j, const char *name, char bracket);
void skein_json_close(struct skein_json *j, char bracket);
void skein_json_string(struct skein_json *j, const char *name, const char *value);
void skein_json_u64(struct skein_json *j, const char *name, uint64_t value);
void skein_json_f64(struct skein_json *j, const char *name, double value);
void skein_json_bool(struct skein_json *j, const char *name, bool value);
/* A value that is JSON already. */
void skein_json_raw(struct skein_json *j, const char *name, const char *json);

#endif
