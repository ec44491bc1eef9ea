/* DIR/manifest: its bytes as they are, or the message in a frame that fits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/frame.h"
#include "pipeline/manifest.h"
#include "tests/fuzz/fuzz.h"
#include "tests/pipeline/fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct skein_manifest m, again;
    struct skein_error err = {""};
    char path[300];
    uint8_t *file;

    if (size == 0) {
        return 0;
    }
    file = malloc(size);
    memcpy(file, bytes + 1, size - 1);
    if (bytes[0] != 0) {
        fuzz_reseal(file, size - 1);
    }
    snprintf(path, sizeof(path), "%s/manifest", fuzz_dir());
    fixture_write(path, file, size - 1);
    free(file);
    if (skein_manifest_read(fuzz_dir(), &m, &err) != 0) {
        FUZZ_CHECK(err.text[0] != '\0' && strchr(err.text, '\n') == NULL);
        return 0;
    }
    /* What was understood can be written and is understood the same. */
    FUZZ_CHECK(skein_manifest_write(fuzz_dir(), &m, NULL) == 0);
    FUZZ_CHECK(skein_manifest_read(fuzz_dir(), &again, NULL) == 0);
    FUZZ_CHECK(strcmp(m.cmdline, again.cmdline) == 0 && m.vcpu_count == again.vcpu_count &&
               memcmp(&m.stats, &again.stats, sizeof(m.stats)) == 0);
    return 0;
}

void fuzz_seeds(fuzz_add add) {
    struct skein_manifest m = fixture_manifest(3);
    char path[300];
    uint8_t *file, *seed;
    size_t size;

    snprintf(m.cmdline, sizeof(m.cmdline), "console=ttyS0");
    snprintf(m.snapshot.path, sizeof(m.snapshot.path), "snapshot.zst");
    m.complete = true;
    m.stats.events[2][3] = 7;
    snprintf(path, sizeof(path), "%s/manifest", fuzz_dir());
    FUZZ_CHECK(skein_manifest_write(fuzz_dir(), &m, NULL) == 0);
    file = fixture_read(path, &size);
    seed = malloc(size + 1);
    memcpy(seed + 1, file, size);
    for (uint8_t sealed = 0; sealed < 2; sealed++) {
        seed[0] = sealed;
        add(seed, size + 1);
    }
    free(seed);
    free(file);
}
