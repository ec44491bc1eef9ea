/*
 * collector RECORDING: what the collector costs. Plays the events of a recording into a session
 * and collects them; one line of NAME=VALUE words per repetition, medians last.
 *
 * "Per core" is per second of CPU time of all the collector's threads; MB are raw bytes in shards.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/pipeline_parts/play.h"

#define REPEAT_MAX 1000

struct options {
    const char *recording;
    const char *tmp;
    uint64_t repeat, rounds, ring_bytes, block_bytes;
    int level;
    bool check;
};

struct figures {
    double wall_s, cpu_s, events, bytes;
};

static int usage(void) {
    fputs("usage: collector [--repeat N] [--rounds N] [--ring-bytes N] [--block-bytes N] "
          "[--level N] [--tmp DIR] [--check] RECORDING\n"
          "  --repeat N      recordings to make (5); the last line has the medians\n"
          "  --rounds N      how often the tape is played into each (1)\n"
          "  --ring-bytes N  of each shard (default of sessions)\n"
          "  --block-bytes N raw bytes of a block (default of the collector)\n"
          "  --level N       zstd's (default of the collector)\n"
          "  --tmp DIR       where the recordings are made, and removed (/tmp)\n"
          "  --check         read each one back and compare every event\n",
          stderr);
    return 2;
}

static bool parse(int argc, char **argv, struct options *o) {
    static const struct option options[] = {{"repeat", required_argument, NULL, 'r'},
                                            {"rounds", required_argument, NULL, 'n'},
                                            {"ring-bytes", required_argument, NULL, 'b'},
                                            {"level", required_argument, NULL, 'l'},
                                            {"block-bytes", required_argument, NULL, 'k'},
                                            {"tmp", required_argument, NULL, 't'},
                                            {"check", no_argument, NULL, 'c'},
                                            {NULL, 0, NULL, 0}};

    *o = (struct options){.tmp = "/tmp", .repeat = 5, .rounds = 1};
    for (int found; (found = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (found) {
        case 'r':
            o->repeat = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            o->rounds = strtoull(optarg, NULL, 10);
            break;
        case 'b':
            o->ring_bytes = strtoull(optarg, NULL, 10);
            break;
        case 'k':
            o->block_bytes = strtoull(optarg, NULL, 10);
            break;
        case 'l':
            o->level = (int)strtol(optarg, NULL, 10);
            break;
        case 't':
            o->tmp = optarg;
            break;
        case 'c':
            o->check = true;
            break;
        default:
            return false;
        }
    }
    o->recording = argv[optind];
    return optind + 1 == argc && o->repeat != 0 && o->repeat <= REPEAT_MAX && o->rounds != 0;
}

static void print_figures(const char *what, const struct figures *f) {
    printf("%s wall_s=%.4f cpu_s=%.4f events_per_s=%.0f mb_per_s=%.1f "
           "events_per_s_core=%.0f mb_per_s_core=%.1f",
           what, f->wall_s, f->cpu_s, f->events / f->wall_s, f->bytes / f->wall_s / 1e6,
           f->events / f->cpu_s, f->bytes / f->cpu_s / 1e6);
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, size_t n) {
    qsort(values, n, sizeof(*values), compare_doubles);
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

static int run_once(const struct options *o, const struct tape *tape, struct figures *f,
                    struct skein_error *err) {
    char dir[512];
    const struct play play = {
        .tape = tape,
        .rounds = o->rounds,
        .ring_bytes = o->ring_bytes,
        .block_bytes = o->block_bytes,
        .zstd_level = o->level,
        .dir = dir,
    };
    struct play_result result;
    int rc;

    snprintf(dir, sizeof(dir), "%s/skein-bench-XXXXXX", o->tmp);
    if (mkdtemp(dir) == NULL) {
        return skein_error_set(err, -1, "cannot make a folder in %s", o->tmp);
    }
    rc = play_run(&play, &result, err);
    if (rc == 0) {
        const struct skein_collector_status *s = &result.status;
        f->wall_s = result.wall_s;
        f->cpu_s = result.cpu_s;
        print_figures("run", f);
        printf(" disk_bytes=%" PRIu64 " buffered_peak_bytes=%" PRIu64 " ring_waits=%" PRIu64
               " ring_wait_s=%.3f\n",
               s->stats.disk_bytes, s->buffered_peak_bytes, s->ring_waits,
               (double)s->ring_wait_ns / 1e9);
        fflush(stdout);
        rc = o->check ? play_check(&play, err) : 0;
    }
    play_remove(dir);
    return rc;
}

static int run_all(const struct options *o, const struct tape *tape, struct skein_error *err) {
    double wall_s[REPEAT_MAX], cpu_s[REPEAT_MAX];
    struct figures f = {
        .events = (double)tape_events(tape, o->rounds),
        .bytes = (double)tape_bytes(tape, o->rounds),
    };

    printf("tape events=%.0f bytes=%.0f shards=%" PRIu32 "\n", f.events, f.bytes,
           tape->shard_count);
    for (uint64_t i = 0; i < o->repeat; i++) {
        int rc = run_once(o, tape, &f, err);
        if (rc != 0) {
            return rc;
        }
        wall_s[i] = f.wall_s;
        cpu_s[i] = f.cpu_s;
    }
    f.wall_s = median(wall_s, o->repeat);
    f.cpu_s = median(cpu_s, o->repeat);
    print_figures("median", &f);
    putchar('\n');
    return 0;
}

int main(int argc, char **argv) {
    struct options o;
    struct tape tape;
    struct skein_error err = {""};
    int rc;

    if (!parse(argc, argv, &o)) {
        return usage();
    }
    rc = tape_load(o.recording, &tape, &err);
    if (rc == 0) {
        rc = run_all(&o, &tape, &err);
        tape_free(&tape);
    }
    if (rc != 0) {
        fprintf(stderr, "collector: %s\n", err.text);
        return 1;
    }
    return 0;
}
