/*
 * Where a run happens: the session in shared memory, and beside it what QEMU and we hand each
 * other as files (the raw snapshot, the replayed console, QEMU's own messages).
 */
#ifndef SKEIN_CLI_STAGE_H
#define SKEIN_CLI_STAGE_H

#include <stdbool.h>

#include "pipeline/session_map.h"

struct skein_stage {
    struct skein_session *session;
    char snapshot[256];
    char console[256];
    char until[256];      /* a checkpoint's state, where a replay ends */
    char checkpoint[256]; /* and ".N": checkpoints on their way from QEMU to us */
    bool keep;            /* the session and the snapshot stay: skein recover needs them */
    int log_fd;           /* QEMU's stdout and stderr; -1: they are shown */
};

/* verbose: QEMU's messages go to our stderr as they come. */
int skein_stage_open(struct skein_stage *s, const struct skein_session_params *params, bool verbose,
                     struct skein_error *err);

/* Huge pages were asked for: says on stderr why there are none, and what to do. */
void skein_stage_explain_pages(const struct skein_stage *s);

/* Removes what replays left that were killed: they hold as much memory as a guest has. */
void skein_stage_sweep(void);

/* Removes everything that it made, unless it is to be kept. */
void skein_stage_close(struct skein_stage *s);

/* The last line that QEMU wrote, without its program name; "" when there is none. */
void skein_stage_last_words(struct skein_stage *s, char *text, size_t size);

/* Everything QEMU wrote, into a file of that name; nothing is made when it was silent. */
void skein_stage_keep_log(struct skein_stage *s, const char *path);

#endif
