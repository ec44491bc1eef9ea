#include "cli/record_object.h"

#include <inttypes.h>
#include <stdio.h>

/* A text on the console is ours to see: the object is made when it has been seen. */
static const char *start_word(const struct skein_record_opts *o) {
    return o->start.when == SKEIN_WHEN_GUEST ? "guest" : "now";
}

/* Whether the guest's control port ends the recording. */
static const char *stop_word(const struct skein_record_opts *o) {
    return o->stop.when == SKEIN_WHEN_GUEST ? "guest" : "host";
}

void skein_record_object_qmp(const struct skein_record_opts *o, const struct skein_stage *s,
                             char *text, size_t size) {
    snprintf(text, size,
             "{\"execute\":\"object-add\",\"arguments\":{\"qom-type\":\"skein-record\","
             "\"id\":\"" SKEIN_OBJECT_ID "\",\"session\":\"%s\","
             "\"start\":\"%s\",\"stop\":\"%s\",\"snapshot\":\"%s\",\"console\":\"%s\","
             "\"checkpoints\":\"%s\",\"epoch-ms\":%" PRIu32 ",\"chaos\":%" PRIu32 "}}",
             skein_session_name(s->session), start_word(o), stop_word(o), s->snapshot, s->console,
             s->checkpoint, o->epoch_ms, o->chaos);
}

void skein_record_object_args(const struct skein_record_opts *o, const struct skein_stage *s,
                              struct skein_argv *argv) {
    skein_argv_push(argv, "-object");
    skein_argv_push(argv,
                    "skein-record,id=" SKEIN_OBJECT_ID
                    ",session=%s,start=%s,stop=%s,snapshot=%s,console=%s"
                    ",checkpoints=%s,epoch-ms=%" PRIu32 ",chaos=%" PRIu32,
                    skein_session_name(s->session), start_word(o), stop_word(o), s->snapshot,
                    s->console, s->checkpoint, o->epoch_ms, o->chaos);
}
