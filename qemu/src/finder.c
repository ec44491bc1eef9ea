/*
 * Where the divergence finder stands: at the last digest that was right. From there it forks a
 * child for each hypothesis, several at a time.
 */
#include "accel/tcg/skein/finder.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "pipeline/atomics.h"
#include "pipeline/shard_layout.h"
#include "qapi/error.h"
#include "qemu/madvise.h"
#include "qemu/timer.h"

#define JOBS_MAX 64u
#define SUSPECTS_MAX 16384u
/* Digests behind the wrong one that a hypothesis must make right. */
#define DIGESTS_AFTER 3u
#define NAP_US 100
#define FEEDER_US 20000
#define BETTER_MAX 4096u
/* Naps without anything new from the feeder after which the ring is taken as it is. */
#define FEEDER_NAPS 500

struct job {
    pid_t pid; /* 0: free */
    uint64_t number;
    struct skein_trial *trial;
    struct skein_hypothesis h;
};

static struct {
    SkeinCPU *cpu;
    struct job jobs[JOBS_MAX];
    unsigned job_count;
    uint64_t target;
    int64_t begun, deadline;
    uint64_t best; /* number of the hypothesis found; the lowest counts */
    struct skein_suspect suspects[SUSPECTS_MAX];
    size_t suspect_count;
    GArray *better;         /* hypotheses that follow from others */
    sigjmp_buf into_replay; /* a child goes on from here */
} finder;

struct skein_shard_reader *skein_finder_reader(uint32_t shard)
{
    return shard == skein_vm.device_shard ? &skein_vm.device_reader : &skein_vm.cpus[shard].reader;
}

struct skein_record *skein_finder_copy(const struct skein_record *r)
{
    return g_memdup2(r, r->size_bytes);
}

static struct skein_trial *map_trial(void)
{
    void *at = mmap(NULL, sizeof(struct skein_trial), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    g_assert(at != MAP_FAILED);
    return at;
}

/* QEMU keeps guest RAM out of its children; ours need it, each its own. */
static void share_ram(void)
{
    RAMBlock *block;

    RAMBLOCK_FOREACH(block) {
        qemu_madvise(block->host, block->max_length, MADV_DOFORK);
    }
}

static bool ring_is_ahead(struct skein_shard_reader *r)
{
    return skein_replay_log_closed(r) ||
           skein_load_acquire_64(&r->mem->head) - r->tail > skein_vm.session->ring_bytes / 2;
}

static uint64_t all_heads(void)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i <= skein_vm.device_shard; i++) {
        sum += skein_load_acquire_64(&skein_finder_reader(i)->mem->head);
    }
    return sum;
}

/* Children cannot wait for the feeder: their parent does, until the rings are well filled. */
static void await_log(void)
{
    uint64_t heads = 0;
    bool ahead = false;

    for (unsigned naps = 0; !ahead && naps < FEEDER_NAPS; naps++) {
        ahead = true;
        for (uint32_t i = 0; i <= skein_vm.device_shard; i++) {
            ahead &= ring_is_ahead(skein_finder_reader(i));
        }
        if (heads != all_heads()) {
            heads = all_heads();
            naps = 0;
        }
        if (!ahead) {
            skein_replay_wait_for_feeder();
            g_usleep(FEEDER_US);
        }
    }
}

static bool has_digest(const struct skein_record *r)
{
    return r->kind == SKEIN_DIGEST || r->kind == SKEIN_TOKEN || r->kind == SKEIN_INTERRUPT ||
           r->kind == SKEIN_END;
}

/* The events from here to a few digests behind the wrong one. */
static void collect(SkeinCPU *c, uint64_t wrong)
{
    uint64_t cursor = c->cursor, tick = c->tick;
    unsigned after = 0;
    const struct skein_record *r;

    finder.target = UINT64_MAX;
    while (after < DIGESTS_AFTER && finder.suspect_count < SUSPECTS_MAX &&
           (r = skein_replay_peek_at(&c->reader, &cursor))) {
        finder.suspects[finder.suspect_count++] =
            (struct skein_suspect){.record = r, .tick = ++tick, .end = cursor};
        if (has_digest(r) && tick > wrong) {
            after++;
            finder.target = tick;
        }
    }
}

/* What came of a child; true: its hypothesis is right. */
static void reap(struct job *job)
{
    struct skein_trial *t = job->trial;
    bool right = qatomic_load_acquire(&t->ended) && t->right;

    job->pid = 0;
    if (right && job->h.right && job->number < finder.best) {
        struct skein_finding *f = skein_vm.finding;

        finder.best = job->number;
        f->outcome = SKEIN_FINDING_EVENT;
        f->way = job->h.way;
        f->shard = job->h.shard;
        f->tick = job->h.tick;
        f->icount = t->icount;
        if (job->h.scan || job->h.walk) {
            /* The child's memory is gone; what it found is here. */
            ((uint64_t *)job->h.right)[skein_child_open_word(&job->h)] = t->position;
        }
        memcpy(f->recorded, job->h.recorded, job->h.recorded->size_bytes);
        memcpy(f->right, job->h.right, job->h.right->size_bytes);
    } else if (!right && job->h.right && finder.better->len < BETTER_MAX) {
        struct skein_hypothesis better;

        if (skein_solve_again(&job->h, t, &better)) {
            g_array_append_val(finder.better, better);
        }
    }
}

static bool any_running(bool *freed, struct job **vacant)
{
    bool running = false;

    for (unsigned i = 0; i < finder.job_count; i++) {
        struct job *job = &finder.jobs[i];

        if (job->pid && waitpid(job->pid, NULL, WNOHANG) == job->pid) {
            reap(job);
            *freed = true;
        }
        if (job->pid) {
            running = true;
        } else {
            *vacant = job;
        }
    }
    return running;
}

/* A place for one more child; all: waits until none runs. */
static struct job *wait_for_job(bool all)
{
    for (;;) {
        bool freed = false;
        struct job *vacant = NULL;
        bool running = any_running(&freed, &vacant);

        if (vacant && !(all && running)) {
            return vacant;
        }
        if (!freed) {
            g_usleep(NAP_US);
        }
    }
}

static void start(struct job *job, bool notes)
{
    memset(job->trial, 0, offsetof(struct skein_trial, notes));
    job->number = skein_vm.finding->tried++;
    job->pid = fork();
    if (job->pid == 0) {
        skein_child_begin(finder.cpu, job->trial, job->h.right ? &job->h : NULL, finder.target,
                          notes);
        siglongjmp(finder.into_replay, 1);
    }
    if (job->pid < 0) {
        job->pid = 0;
        skein_vm.finding->stopped = true;
    }
}

static bool enough(void)
{
    return skein_vm.finding->stopped || skein_vm.finding->outcome == SKEIN_FINDING_EVENT;
}

static bool try_one(struct skein_hypothesis *h)
{
    struct job *job;

    if (get_clock() > finder.deadline) {
        skein_vm.finding->stopped = true;
    }
    job = wait_for_job(false);
    if (enough()) {
        g_free(h->right);
        return false;
    }
    g_free(job->h.right);
    job->h = *h;
    start(job, false);
    return true;
}

static bool try_better(void)
{
    while (finder.better->len > 0) {
        guint last = finder.better->len - 1;
        struct skein_hypothesis h = g_array_index(finder.better, struct skein_hypothesis, last);

        g_array_set_size(finder.better, last);
        if (!try_one(&h)) {
            return false;
        }
    }
    return true;
}

bool skein_finder_try(struct skein_hypothesis *h)
{
    if (!try_better()) {
        g_free(h->right);
        return false;
    }
    return try_one(h);
}

static void write_finding(void)
{
    struct skein_finding *f = skein_vm.finding;

    f->answered = 1;
    f->duration_ns = get_clock() - finder.begun;
    if (!g_file_set_contents(skein_vm.options->find, (const char *)f, sizeof(*f), NULL)) {
        skein_fail("cannot write the finding %s", skein_vm.options->find);
        _exit(2);
    }
}

static G_NORETURN void search(SkeinCPU *c)
{
    struct skein_finding *f = skein_vm.finding;
    struct job *first = &finder.jobs[0];

    await_log();
    collect(c, f->divergence.tick);
    start(first, true);
    wait_for_job(true);
    if (!qatomic_load_acquire(&first->trial->ended)) {
        skein_fail("the replay cannot be forked: its child ended without a word");
        _exit(2);
    }
    if (first->trial->right) {
        f->outcome = SKEIN_FINDING_SAME;
    } else {
        struct skein_trial *t = g_memdup2(first->trial, sizeof(*first->trial));

        skein_solve_begin(c, finder.suspects, finder.suspect_count);
        skein_finder_guess(c, finder.suspects, finder.suspect_count, t);
        do {
            wait_for_job(true);
        } while (finder.better->len > 0 && try_better());
    }
    write_finding();
    skein_replay_finish(SKEIN_VERDICT_INCOMPLETE);
}

static void prepare(SkeinCPU *c)
{
    const struct skein_finding *f = skein_vm.finding;

    finder.cpu = c;
    finder.best = UINT64_MAX;
    finder.better = g_array_new(false, false, sizeof(struct skein_hypothesis));
    finder.begun = get_clock();
    finder.deadline = finder.begun + (int64_t)MAX(f->seconds, 1) * NANOSECONDS_PER_SECOND;
    finder.job_count = MIN(MAX(f->jobs, 1), JOBS_MAX);
    for (unsigned i = 0; i < finder.job_count; i++) {
        finder.jobs[i].trial = map_trial();
    }
    share_ram();
}

void skein_finder_stop(SkeinCPU *c)
{
    const struct skein_finding *f = skein_vm.finding;

    if (!f) {
        return;
    }
    if (skein_in_child()) {
        skein_child_scan(c);
        return;
    }
    if (f->task == SKEIN_TASK_APPLY) {
        skein_override_due(c);
    }
    if (f->task != SKEIN_TASK_SEARCH || c->id != f->divergence.vcpu ||
        c->tick < f->divergence.good_tick) {
        return;
    }
    /* No other thread has the big lock, or another one, when a child begins. */
    bql_lock();
    prepare(c);
    if (sigsetjmp(finder.into_replay, 0) == 0) {
        search(c);
    }
    bql_unlock();
    skein_child_scan(c);
}

static bool is_whole(const struct skein_finding *f)
{
    const struct skein_record *right = (const void *)f->right;

    return f->magic == SKEIN_FINDING_MAGIC && f->task <= SKEIN_TASK_APPLY &&
           f->divergence.vcpu < skein_vm.cpu_count &&
           (f->task != SKEIN_TASK_APPLY ||
            (f->shard <= skein_vm.device_shard && right->size_bytes >= sizeof(*right) &&
             right->size_bytes <= sizeof(f->right) && right->size_bytes % 8 == 0 &&
             right->kind < SKEIN_KIND_COUNT));
}

bool skein_finder_open(Error **errp)
{
    const char *path = skein_vm.options->find;
    gsize bytes = 0;
    char *file = NULL;

    if (!g_file_get_contents(path, &file, &bytes, NULL) || bytes != sizeof(struct skein_finding) ||
        !is_whole((const void *)file)) {
        g_free(file);
        error_setg(errp, "%s asks for nothing that this version knows", path);
        return false;
    }
    skein_vm.finding = (struct skein_finding *)file;
    return true;
}
