#include "pcidriver.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib.h"

enum {
    COMMAND = 4, /* in configuration space */
    COMMAND_MEMORY = 2,
    COMMAND_MASTER = 4,
    COMMAND_NO_INTX = 0x400,
    AWAIT_S = 20,
};

static uint32_t class_of(const char *device) {
    char path[320];
    char text[32] = "";
    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/class", device);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "%s", path);
    close(fd);
    return (uint32_t)strtoul(text, NULL, 16);
}

static void find_device(uint32_t device_class, char *name, size_t size) {
    DIR *dir = opendir("/sys/bus/pci/devices");
    CHECK(dir != NULL, "no PCI devices");
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] != '.' && class_of(e->d_name) == device_class) {
            snprintf(name, size, "%s", e->d_name);
            closedir(dir);
            return;
        }
    }
    fail(__FILE__, __LINE__, "no PCI device of class %#x", device_class);
}

static int open_file_of(const char *device, const char *file) {
    char path[320];
    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device, file);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0, "%s", path);
    return fd;
}

static void set_command(const char *device, uint16_t bits, bool on) {
    uint16_t command = 0;
    int fd = open_file_of(device, "config");
    CHECK(pread(fd, &command, sizeof(command), COMMAND) == sizeof(command), "configuration space");
    command = (uint16_t)(on ? command | bits : command & ~bits);
    CHECK(pwrite(fd, &command, sizeof(command), COMMAND) == sizeof(command),
          "the command register");
    close(fd);
}

void pci_memory(uint32_t device_class, bool on) {
    char name[256];
    find_device(device_class, name, sizeof(name));
    set_command(name, COMMAND_MEMORY, on);
}

volatile void *pci_map(uint32_t device_class, int bar) {
    char name[256];
    char resource[32];
    find_device(device_class, name, sizeof(name));
    set_command(name, COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX, true);
    snprintf(resource, sizeof(resource), "resource%d", bar);
    int fd = open_file_of(name, resource);
    struct stat st;
    CHECK(fstat(fd, &st) == 0 && st.st_size > 0, "the size of the BAR");
    void *mapped = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(mapped != MAP_FAILED, "BAR %d of %s", bar, name);
    close(fd);
    return mapped;
}

void *dma_page(uint64_t *at) {
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
    uint64_t entry = 0;
    CHECK(page != MAP_FAILED, "memory for DMA");
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    off_t where = (off_t)((uintptr_t)page / PAGE_BYTES * sizeof(entry));
    CHECK(fd >= 0 && pread(fd, &entry, sizeof(entry), where) == sizeof(entry), "pagemap");
    close(fd);
    *at = (entry & ((1ull << 55) - 1)) * PAGE_BYTES;
    CHECK(entry >> 63 == 1 && *at != 0, "the page is not there");
    return page;
}

void dma_free(void *page) {
    CHECK(munmap(page, PAGE_BYTES) == 0, "munmap");
}

void kernel_takes(const char *name, const void *bytes, uint32_t length) {
    static char back[PAGE_BYTES];
    char path[PAGE_BYTES];
    CHECK(chdir("/tmp") == 0, "chdir");
    int fd =
        open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); /* the kernel reads the name */
    CHECK(fd >= 0, "a file by the name that the device gave");
    write_all(fd, bytes, length);
    CHECK(pread(fd, back, length, 0) == length && memcmp(back, bytes, length) == 0,
          "what the kernel got is not what the device gave");
    close(fd);
    snprintf(path, sizeof(path), "/tmp/%s", name);
    CHECK(access(path, F_OK) == 0 && unlink(path) == 0, "%s is not there", path);
}

void await_bits(volatile uint32_t *word, uint32_t mask, uint32_t value, const char *what) {
    time_t end = time(NULL) + AWAIT_S;
    while ((*word & mask) != value) {
        CHECK(time(NULL) < end, "%s does not come", what);
    }
}
