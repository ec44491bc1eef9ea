/* Files as the pipeline needs them: whole reads and writes, durable names. */
#ifndef SKEIN_PIPELINE_FILE_H
#define SKEIN_PIPELINE_FILE_H

#include <stddef.h>
#include <stdint.h>

/* Writes all of it. -EIO stands for a write that made no progress. */
int skein_file_write(int fd, const void *bytes, size_t n);

/* Reads n bytes at the offset; -ENODATA when the file ends before. */
int skein_file_read_at(int fd, void *bytes, size_t n, uint64_t offset);

/* Writes n bytes at the offset. */
int skein_file_write_at(int fd, const void *bytes, size_t n, uint64_t offset);

/* fsync of the directory that holds `path`, after a rename. */
int skein_file_sync_parent(const char *path);

#endif
