/* skein ls: the recordings in folders. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/json_option.h"
#include "cli/report.h"
#include "pipeline/checkpoint.h"
#include "pipeline/frame.h"
#include "pipeline/recording.h"
#include "pipeline/session_map.h"

/* What a row shows. The manifest is all zeros where it cannot be read. */
struct row {
    const char *dir;
    const char *state;
    char problem[512]; /* one line; "": none */
    struct skein_manifest manifest;
    uint64_t events;
    uint64_t checkpoints; /* that can be used */
    uint64_t size_bytes;
};

struct ls {
    FILE *out;
    struct skein_json *json; /* NULL: text */
    uint64_t rows;
    struct row row;
};

static uint64_t file_bytes(const char *dir, const char *name) {
    char path[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

/* Of the regular files in it. */
static uint64_t folder_bytes(const char *dir) {
    DIR *d = opendir(dir);
    const struct dirent *entry;
    uint64_t bytes = 0;
    while (d != NULL && (entry = readdir(d)) != NULL)
        bytes += file_bytes(dir, entry->d_name);
    if (d != NULL)
        closedir(d);
    return bytes;
}

static uint64_t recording_bytes(const char *dir) {
    char segments[PATH_MAX], checkpoints[PATH_MAX];
    snprintf(segments, sizeof(segments), "%s/segments", dir);
    snprintf(checkpoints, sizeof(checkpoints), "%s/" SKEIN_CHECKPOINTS_NAME, dir);
    return folder_bytes(dir) + folder_bytes(segments) + folder_bytes(checkpoints);
}

static void row_json(struct skein_json *j, const struct row *r) {
    const struct skein_manifest *m = &r->manifest;
    skein_json_open(j, NULL, '{');
    skein_json_string(j, "dir", r->dir);
    skein_json_string(j, "state", r->state);
    if (r->problem[0] != '\0')
        skein_json_string(j, "problem", r->problem);
    if (m->vcpu_count > 0) {
        char uuid[37];
        skein_uuid_format(m->uuid, uuid);
        skein_json_string(j, "uuid", uuid);
        skein_json_u64(j, "created_unix_s", m->created_unix_ns / 1000000000u);
        skein_json_f64(j, "duration_s", (double)m->duration_ns / 1e9);
        skein_json_u64(j, "vcpus", m->vcpu_count);
        skein_json_string(j, "scope", skein_scope_name(m->scope));
        skein_json_u64(j, "events", r->events);
        skein_json_u64(j, "checkpoints", r->checkpoints);
    }
    skein_json_u64(j, "bytes", r->size_bytes);
    skein_json_close(j, '}');
}

/* Without the characters that terminals obey. */
static void put_line(FILE *out, const char *text) {
    for (; *text != '\0'; text++)
        fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

static void row_text(struct ls *l, const struct row *r) {
    const struct skein_manifest *m = &r->manifest;
    char when[32] = "-";
    time_t created = (time_t)(m->created_unix_ns / 1000000000u);
    struct tm tm;
    if (l->rows == 0)
        fprintf(l->out, "%-10s %-19s %10s %5s %-6s %12s %11s %9s  %s\n", "state", "date (UTC)",
                "seconds", "vCPUs", "scope", "events", "checkpoints", "MB", "recording");
    if (m->vcpu_count > 0 && gmtime_r(&created, &tm) != NULL)
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    fprintf(l->out, "%-10s %-19s %10.2f %5" PRIu32 " %-6s %12" PRIu64 " %11" PRIu64 " %9.1f  ",
            r->state, when, (double)m->duration_ns / 1e9, m->vcpu_count,
            m->vcpu_count > 0 ? skein_scope_name(m->scope) : "-", r->events, r->checkpoints,
            (double)r->size_bytes / 1e6);
    put_line(l->out, r->dir);
    if (r->problem[0] != '\0') {
        fputs(": ", l->out);
        put_line(l->out, r->problem);
    }
    fputc('\n', l->out);
}

/* It begins as a manifest does: many a folder has a file of that name. */
static bool has_manifest(const char *dir) {
    char path[PATH_MAX], magic[8] = "";
    snprintf(path, sizeof(path), "%s/%s", dir, "manifest");
    FILE *f = fopen(path, "re");
    bool good = f != NULL && fread(magic, sizeof(magic), 1, f) == 1 &&
                memcmp(magic, SKEIN_FRAME_MANIFEST, sizeof(magic)) == 0;
    if (f != NULL)
        fclose(f);
    return good;
}

static bool has_segments(const char *dir) {
    char path[PATH_MAX];
    const struct dirent *entry;
    bool found = false;
    snprintf(path, sizeof(path), "%s/segments", dir);
    DIR *d = opendir(path);
    while (d != NULL && !found && (entry = readdir(d)) != NULL)
        found = strstr(entry->d_name, ".skn") != NULL;
    if (d != NULL)
        closedir(d);
    return found;
}

static uint64_t usable_checkpoints(const struct skein_recording *rec) {
    struct skein_checkpoint_list list;
    uint64_t good = 0;
    if (skein_checkpoint_list_read(rec, &list, NULL) != 0)
        return 0;
    while (good < list.count && list.items[good].ok)
        good++;
    skein_checkpoint_list_free(&list);
    return good;
}

/* Reads the manifest and all headers. */
static void look(const char *dir, struct row *r, struct skein_error *err) {
    struct skein_recording *rec = NULL;
    struct skein_error ignored;
    int rc = skein_recording_open(dir, SKEIN_READ_STRICT, &rec, err);
    *r = (struct row){.dir = dir, .size_bytes = recording_bytes(dir)};
    if (rc != 0 && skein_recording_open(dir, SKEIN_READ_SALVAGE, &rec, &ignored) != 0)
        rec = NULL;
    if (rec != NULL) {
        r->manifest = *skein_recording_manifest(rec);
        r->events = skein_recording_events(rec);
        r->checkpoints = usable_checkpoints(rec);
    }
    if (rc != 0) {
        r->state = rc == -EPROTO ? "foreign" : rc == -EACCES ? "unreadable" : "damaged";
        snprintf(r->problem, sizeof(r->problem), "%s", err->text);
    } else if (!skein_recording_complete(rec)) {
        r->state = "incomplete";
        snprintf(r->problem, sizeof(r->problem), "%s", r->manifest.end_reason);
    } else {
        r->state = "complete";
    }
    skein_recording_close(rec);
}

/* False: it is no recording. */
static bool list_recording(struct ls *l, const char *dir) {
    struct skein_error err = {""};
    if (!has_manifest(dir) && !has_segments(dir))
        return false;
    look(dir, &l->row, &err);
    if (l->json != NULL)
        row_json(l->json, &l->row);
    else
        row_text(l, &l->row);
    l->rows++;
    return true;
}

static int visible(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The folder itself if it is a recording, else the recordings in it. */
static int list_folder(struct ls *l, const char *dir) {
    struct dirent **names = NULL;
    char path[PATH_MAX];
    if (list_recording(l, dir))
        return SKEIN_EXIT_OK;
    int count = scandir(dir, &names, visible, by_name);
    if (count < 0)
        return skein_fail(SKEIN_EXIT_USAGE, "ls: cannot read %s: %s", dir, strerror(errno));
    for (int i = 0; i < count; i++) {
        if (strcmp(dir, ".") == 0)
            snprintf(path, sizeof(path), "%s", names[i]->d_name);
        else
            snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
        list_recording(l, path);
        free(names[i]);
    }
    free(names);
    return SKEIN_EXIT_OK;
}

static int list_all(struct ls *l, char *const *dirs) {
    int code = SKEIN_EXIT_OK;
    if (*dirs == NULL)
        return list_folder(l, ".");
    for (; *dirs != NULL; dirs++) {
        int one = list_folder(l, *dirs);
        code = one != SKEIN_EXIT_OK ? one : code;
    }
    return code;
}

static int ls(struct ls *l, const struct skein_json_opt *json, char *const *dirs) {
    struct skein_json j;
    l->out = json->on ? skein_json_begin(json) : stdout;
    if (l->out == NULL)
        return skein_fail(SKEIN_EXIT_USAGE, "ls: cannot write %s", json->file);
    j = (struct skein_json){.out = l->out};
    if (!json->on)
        return list_all(l, dirs);
    l->json = &j;
    skein_json_open(&j, NULL, '[');
    int code = list_all(l, dirs);
    skein_json_close(&j, ']');
    if (!skein_json_end(l->out))
        return skein_fail(SKEIN_EXIT_USAGE, "ls: cannot write the JSON");
    return code;
}

int skein_cmd_ls(int argc, char **argv) {
    struct skein_json_opt json;
    int bad = skein_json_option("ls", argc, argv, &json);
    if (bad != SKEIN_EXIT_OK)
        return bad;
    struct ls *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return skein_fail(SKEIN_EXIT_FAILED, "ls: out of memory");
    int code = ls(l, &json, argv + optind);
    free(l);
    return code;
}
