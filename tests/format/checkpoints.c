/*
 * checkpoints: makes a recording with checkpoints in a new folder, expands them there as
 * expanded.1 …, and prints the folder's name.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/pipeline/checkpoint_lab.h"

#define COUNT 4u

int main(void) {
    struct checkpoint_lab l = checkpoint_lab_make(200, COUNT, 90);
    struct skein_error err = {""};
    char path[300];

    for (unsigned n = 1; n <= COUNT; n++) {
        snprintf(path, sizeof(path), "%s/expanded.%u", l.dir, n);
        if (skein_checkpoint_expand(l.rec, n, path, &err) != 0) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
    }
    puts(l.dir);
    checkpoint_lab_leave(&l);
    return 0;
}
