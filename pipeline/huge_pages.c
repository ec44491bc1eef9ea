#include "pipeline/huge_pages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Whether the path is the folder `under` or in it. */
static bool is_inside(const char *path, const char *under) {
    const size_t len = strlen(under);

    return strcmp(under, "/") == 0 ||
           (strncmp(path, under, len) == 0 && (path[len] == '\0' || path[len] == '/'));
}

bool skein_huge_pages_offered(const char *folder) {
    FILE *mounts = fopen("/proc/self/mounts", "re");
    char line[4096], point[1024], options[1024];
    size_t best = 0;
    bool offered = false;

    if (mounts == NULL) {
        return false;
    }
    /* The innermost mount counts; of several at one point, the last. */
    while (fgets(line, sizeof(line), mounts) != NULL) {
        if (sscanf(line, "%*s %1023s %*s %1023s", point, options) == 2 &&
            is_inside(folder, point) && strlen(point) >= best) {
            const char *huge = strstr(options, "huge=");
            best = strlen(point);
            offered = huge != NULL && strncmp(huge, "huge=never", 10) != 0;
        }
    }
    fclose(mounts);
    return offered;
}

int skein_huge_pages_fill(void *mem, size_t bytes) {
    madvise(mem, bytes, MADV_HUGEPAGE); /* where it is refused the pages are small */
#ifdef MADV_POPULATE_WRITE
    if (madvise(mem, bytes, MADV_POPULATE_WRITE) == 0) {
        return 0;
    }
    /* EFAULT is what would have been a SIGBUS. */
    return errno == EFAULT || errno == ENOMEM ? -ENOSPC : -errno;
#else
    return -EINVAL;
#endif
}

uint64_t skein_huge_pages_mapped(const void *mem) {
    FILE *maps = fopen("/proc/self/smaps", "re");
    char line[1024];
    uintptr_t begin, end;
    uint64_t kib, found = 0;
    bool here = false;

    if (maps == NULL) {
        return 0;
    }
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2) {
            here = begin == (uintptr_t)mem;
        } else if (here && sscanf(line, "ShmemPmdMapped: %" SCNu64 " kB", &kib) == 1) {
            found = kib << 10;
        }
    }
    fclose(maps);
    return found;
}
