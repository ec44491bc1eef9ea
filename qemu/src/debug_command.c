/*
 * `monitor skein …`: what a debugger's user asks of a replay in words.
 */
#include "accel/tcg/skein/replay_debug.h"
#include "accel/tcg/skein/symbols.h"

#include "qemu/cutils.h"
#include "system/runstate.h"

#define USAGE                                                                                      \
    "skein where\n"                                                                                \
    "skein goto slice N | tick VCPU:N | icount N | icount VCPU:N\n"                                \
    "skein symbols FILE\n"                                                                         \
    "skein vmlinux VMLINUX FILE\n"

struct command {
    char **words;
    unsigned count;
    GString *answer;
};

static const char *event_name(SkeinCPU *c, const struct skein_record *r)
{
    return !r ? (c->ended ? "none" : "not known yet") : skein_replay_kind_name(r->kind);
}

static void add_vcpu(GString *s, SkeinCPU *c)
{
    g_autofree char *what = skein_debug_describe(c->cpu);
    const struct skein_record *r = c->ended ? NULL : skein_replay_peek(c);
    uint64_t position;

    g_string_append_printf(s,
                           "vCPU %" PRIu32 " (%s): icount %" PRIu64 ", tick %" PRIu64
                           ", slices %" PRIu64 ", pc %#" PRIx64 ", next event: %s",
                           c->id, what, skein_icount(c), c->tick, c->slices,
                           (uint64_t)skein_env(c)->eip, event_name(c, r));
    if (r && skein_record_is_stop(r, &position)) {
        g_string_append_printf(s, " at icount %" PRIu64, position);
    }
    g_string_append_c(s, '\n');
}

static const char *state_name(void)
{
    switch (skein_debug_verdict()) {
    case SKEIN_VERDICT_SAME:
        return "; the recording ends here, the replay is the same";
    case SKEIN_VERDICT_DIVERGED:
        return "; the replay differs here";
    case SKEIN_VERDICT_INCOMPLETE:
        return "; the recording ends here, it was cut off";
    default:
        return "";
    }
}

static void where(struct command *c)
{
    GString *s = c->answer;

    g_string_append_printf(s, "slice %" PRIu64 ", icount %" PRIu64 "%s\n",
                           skein_vm.slices_before + skein_vm.session->slices, skein_replay_icount(),
                           state_name());
    if (skein_debug_verdict() == SKEIN_VERDICT_DIVERGED) {
        g_string_append_printf(s, "%s\n", skein_vm.session->divergence.what);
    }
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        add_vcpu(s, &skein_vm.cpus[i]);
    }
    g_string_append_printf(s, "checkpoints: %u, %" PRIu64 " MiB\n", skein_marks_count(),
                           skein_checkpoint_bytes() >> 20);
}

/* N, or VCPU:N. */
static bool parse_place(const char *text, bool with_vcpu, struct skein_goal *g)
{
    const char *rest = text;
    uint64_t vcpu;

    if (with_vcpu) {
        if (qemu_strtou64(text, &rest, 10, &vcpu) || *rest != ':' || vcpu >= skein_vm.cpu_count) {
            return false;
        }
        g->c = &skein_vm.cpus[vcpu];
        rest++;
    }
    return qemu_strtou64(rest, NULL, 0, &g->n) == 0;
}

static bool parse_goal(struct command *c, struct skein_goal *g)
{
    const char *what = c->count == 3 ? c->words[1] : "";
    bool with_vcpu = c->count == 3 && strchr(c->words[2], ':');

    if (!strcmp(what, "slice") && !with_vcpu) {
        g->kind = SKEIN_GOAL_SLICE;
    } else if (!strcmp(what, "tick") && with_vcpu) {
        g->kind = SKEIN_GOAL_TICK;
    } else if (!strcmp(what, "icount")) {
        g->kind = with_vcpu ? SKEIN_GOAL_ICOUNT : SKEIN_GOAL_POSITION;
    } else {
        return false;
    }
    return parse_place(c->words[2], with_vcpu, g);
}

/* In the replay's thread. */
static void go(void *opaque)
{
    struct command *c = opaque;
    struct skein_goal goal = {0};

    if (!parse_goal(c, &goal)) {
        g_string_append(c->answer, USAGE);
        return;
    }
    if (skein_debug_goto(&goal) != SKEIN_HALT_GOAL) {
        g_string_append(c->answer, "the recording does not get there\n");
    }
    where(c);
    g_string_append_printf(c->answer, "next is vCPU %" PRIu32 ": thread %" PRIu32 " of gdb\n",
                           skein_debug_current()->id, skein_debug_current()->id + 1);
}

/* What gdb has to be told to take its symbols from that file. */
static void vmlinux(struct command *c)
{
    g_autofree char *text = NULL;
    char message[512] = "";
    uint64_t offset;

    if (skein_symbols_vmlinux(c->words[1], &offset, message, sizeof(message))) {
        text = g_strdup_printf("symbol-file %s -o %#" PRIx64 "\n", c->words[1], offset);
        if (!g_file_set_contents(c->words[2], text, -1, NULL)) {
            snprintf(message, sizeof(message), "cannot write %s", c->words[2]);
        }
    }
    g_string_append_printf(c->answer, "%s\n", message);
}

static void symbols(struct command *c)
{
    char message[512] = "";

    skein_symbols_write(c->words[1], message, sizeof(message));
    g_string_append_printf(c->answer, "%s\n", message);
}

char *skein_debug_command(const char *line)
{
    g_auto(GStrv) words = g_strsplit_set(line, " ", -1);
    struct command c = {.words = words, .answer = g_string_new(NULL)};

    /* Several spaces in a row leave empty words. */
    for (char **w = words; *w; w++) {
        if (**w) {
            words[c.count++] = *w;
        } else {
            g_free(*w);
        }
    }
    words[c.count] = NULL;
    if (!skein_debugging() || !skein_vm.active) {
        g_string_append(c.answer, "this is no replay under a debugger\n");
    } else if (runstate_is_running()) {
        g_string_append(c.answer, "the replay runs: stop it first\n");
    } else if (c.count == 1 && !strcmp(words[0], "where")) {
        where(&c);
    } else if (c.count == 2 && !strcmp(words[0], "symbols")) {
        symbols(&c);
    } else if (c.count == 3 && !strcmp(words[0], "vmlinux")) {
        vmlinux(&c);
    } else if (c.count > 0 && !strcmp(words[0], "goto")) {
        skein_debug_call(go, &c);
    } else {
        g_string_append(c.answer, USAGE);
    }
    return g_string_free(c.answer, false);
}
