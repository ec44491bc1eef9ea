/*
 * A disk, so that devices write to memory: blocks written and read back with and without the page
 * cache, by several processes. Runs in our guest image only, since the disk's contents are lost.
 * Uses the first of /dev/vda, /dev/nvme0n1 and /dev/sda; says "skip" when there is none. The
 * argument is the number of blocks.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib.h"

enum { BLOCK = 16384 };

static const char *disk;
static uint64_t blocks;

static void write_and_read(int index) {
    char *buffer = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t first = (uint64_t)index * blocks;
    int fd = open(disk, O_RDWR | (index % 2 == 0 ? O_DIRECT : 0));
    CHECK(fd >= 0 && buffer != MAP_FAILED, "open %s", disk);
    for (uint64_t i = first; i < first + blocks; i++) {
        fill(buffer, BLOCK, i);
        CHECK(pwrite(fd, buffer, BLOCK, (off_t)(i * BLOCK)) == BLOCK, "write of block %d", (int)i);
    }
    CHECK(fsync(fd) == 0, "fsync");
    CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
    uint64_t state = first;
    for (uint64_t i = 0; i < blocks; i++) {
        uint64_t which = first + next_random(&state) % blocks;
        CHECK(pread(fd, buffer, BLOCK, (off_t)(which * BLOCK)) == BLOCK, "read of a block");
        CHECK(matches(buffer, BLOCK, which), "contents of block %d", (int)which);
    }
}

static void check_guest(void) {
    char line[2048] = {0};
    int fd = open("/proc/cmdline", O_RDONLY);
    CHECK(fd >= 0 && read(fd, line, sizeof(line) - 1) > 0, "/proc/cmdline");
    CHECK(strstr(line, "skein.workload=") != NULL, "this is not a guest of ours: disk refuses");
    close(fd);
}

int workload_disk(int argc, char **argv) {
    static const char *const disks[] = {"/dev/vda", "/dev/nvme0n1", "/dev/sda"};
    uint64_t bytes = 0;
    int children = cpu_count() < 2 ? 2 : cpu_count();
    blocks = (uint64_t)arg_number(argc, argv, 1, 32);
    check_guest();
    for (size_t i = 0; disk == NULL && i < sizeof(disks) / sizeof(disks[0]); i++) {
        disk = access(disks[i], R_OK | W_OK) == 0 ? disks[i] : NULL;
    }
    if (disk == NULL) {
        printf("skip disk: there is none\n");
        return 0;
    }
    int fd = open(disk, O_RDONLY);
    CHECK(fd >= 0 && ioctl(fd, BLKGETSIZE64, &bytes) == 0, "the size of %s", disk);
    CHECK(bytes >= (uint64_t)children * blocks * BLOCK, "%s is too small", disk);
    close(fd);
    run_children(children, write_and_read);
    ok("disk: blocks written and read back");
    return 0;
}
