/*
 * A child: the replay forked where its last right digest was, with one event read otherwise. It
 * runs to the first difference, or until enough digests were right, says so, and ends. It shares
 * the log with its parent and changes nothing of it; what the ring does not hold it cannot have.
 */
#include "accel/tcg/skein/finder.h"

#include <sys/prctl.h>
#include <sys/resource.h>

/* Seconds of a child's CPU time, far above what a bracket takes. */
#define CPU_SECONDS 30
/* Instructions among which the place of a digest is looked for. */
#define SCAN_INSNS 1000000

bool skein_digest_noted;

static struct {
    bool on;
    SkeinCPU *cpu;
    struct skein_trial *trial;
    const struct skein_hypothesis *h;
    uint64_t first; /* tick at the bracket's start */
    uint64_t target;
    bool scans;
    uint64_t scanned;
} child;

bool skein_in_child(void)
{
    return child.on;
}

void skein_child_begin(SkeinCPU *c, struct skein_trial *trial, const struct skein_hypothesis *h,
                       uint64_t target, bool notes)
{
    struct rlimit limit = {CPU_SECONDS, CPU_SECONDS};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CPU, &limit);
    child.on = true;
    child.cpu = c;
    child.trial = trial;
    child.h = h;
    child.first = c->tick;
    child.target = target;
    child.scans = h && h->scan;
    skein_digest_noted = notes;
    skein_vm.session = g_memdup2(skein_vm.session, sizeof(*skein_vm.session));
    skein_vm.console_fd = -1;
    if (h) {
        skein_override(skein_finder_reader(h->shard), h->end, h->right);
    }
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        skein_vm.cpus[i].stop = SKEIN_STOP_UNKNOWN;
    }
}

void skein_digest_note(SkeinCPU *c, int slot, uint64_t value)
{
    struct skein_trial *t = child.trial;

    if (c == child.cpu && t->note_count < SKEIN_FINDER_NOTES) {
        t->notes[t->note_count++] =
            (struct skein_note){.tick = c->tick - child.first, .slot = slot, .value = value};
    }
}

static G_NORETURN void end_child(bool right)
{
    child.trial->right = right;
    child.trial->tick = child.cpu->tick;
    qatomic_store_release(&child.trial->ended, 1);
    _exit(0);
}

void skein_child_good(SkeinCPU *c)
{
    if (child.on && c == child.cpu && c->tick >= child.target) {
        end_child(true);
    }
}

/* All there is of the log was right. The event itself waits for the other vCPUs. */
void skein_child_met_end(SkeinCPU *c)
{
    if (child.on && c == child.cpu && c->tick + 1 >= child.target) {
        end_child(true);
    }
}

void skein_child_consumed(SkeinCPU *c)
{
    if (child.on && child.h && c->id == child.h->shard && c->tick == child.h->tick) {
        child.trial->icount = skein_icount(c);
    }
}

/* What the wrong digest was made of; nothing when it was something else that was wrong. */
static void tell_state(const struct skein_divergence *d)
{
    struct skein_trial *t = child.trial;
    SkeinCPU *c = child.cpu;

    t->value_count = UINT32_MAX;
    if (d->vcpu != c->id) {
        return;
    }
    t->digest = c->digest;
    t->inputs = c->inputs;
    if (d->got == skein_digest_chain(c)) {
        t->value_count = 0;
    } else if (d->got == skein_digest_here(c)) {
        t->value_count = SKEIN_DIGEST_VALUES;
        skein_digest_values(c, t->values);
    }
}

void skein_child_finish(enum skein_verdict verdict)
{
    struct skein_trial *t = child.trial;

    if (!child.on) {
        return;
    }
    t->divergence = (struct skein_divergence){0};
    t->value_count = UINT32_MAX;
    if (verdict == SKEIN_VERDICT_DIVERGED) {
        t->divergence = skein_vm.session->divergence;
        tell_state(&t->divergence);
    }
    t->released_shard = skein_vm.released_shard;
    t->released_tick = skein_vm.released_tick;
    end_child(verdict == SKEIN_VERDICT_SAME || verdict == SKEIN_VERDICT_INCOMPLETE ||
              (verdict == SKEIN_VERDICT_NONE &&
               child.cpu->good_tick > skein_vm.finding->divergence.tick));
}

size_t skein_child_open_word(const struct skein_hypothesis *h)
{
    return h->walk ? 3 : h->right->kind == SKEIN_TOKEN ? 2 : 1;
}

/* The event moves on in front of the vCPU until its digest is right. */
static void scan(SkeinCPU *c, uint64_t *position)
{
    c->stop = SKEIN_STOP_UNKNOWN;
    if (c->tick + 1 == child.h->tick && position[1] == skein_digest_slice(c)) {
        *position = skein_icount(c);
        child.trial->position = *position;
        child.scans = false;
        return;
    }
    *position = skein_icount(c) + 1;
    if (child.scanned++ > SCAN_INSNS) {
        end_child(false);
    }
}

void skein_child_scan(SkeinCPU *c)
{
    uint64_t *word;

    if (!child.on || !child.h || c->id != child.h->shard || c->tick >= child.h->tick) {
        return;
    }
    word = (uint64_t *)child.h->right + skein_child_open_word(child.h);
    if (child.scans) {
        scan(c, word);
    } else if (child.h->walk && c->tick + 1 == child.h->tick) {
        *word = ldl_le_p(qemu_map_ram_ptr(NULL, word[-1])) | child.h->walk;
        child.trial->position = *word;
    }
}
