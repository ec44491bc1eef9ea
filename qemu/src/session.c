/*
 * A session from its shared memory to its end: mapped, compared with the machine, begun with a
 * snapshot saved or loaded, finished. Who asks for which, and when, is in control.c.
 */
#include "accel/tcg/skein/chaos.h"
#include "accel/tcg/skein/finder.h"
#include "accel/tcg/skein/section.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "exec/tb-flush.h"
#include "hw/i386/x86.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/timer.h"
#include "system/cpu-timers.h"
#include "system/runstate.h"
#include "system/tcg.h"

SkeinVM skein_vm = {.console_fd = -1, .peer_fd = -1};

void skein_fail(const char *fmt, ...)
{
    va_list ap;
    char message[sizeof(skein_vm.session->message)];

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    error_report("%s", message);
    if (skein_vm.session) {
        pstrcpy(skein_vm.session->message, sizeof(message), message);
        qatomic_store_release(&skein_vm.session->state, SKEIN_STATE_FAILED);
    }
}

bool skein_session_map(const char *path, enum skein_mode mode, Error **errp)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct skein_session_header *h;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) || st.st_size < SKEIN_SESSION_SHARDS_OFFSET) {
        error_setg(errp, "cannot open the session %s: %s", path, strerror(errno));
        goto out;
    }
    h = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (h == MAP_FAILED) {
        error_setg(errp, "cannot map the session %s: %s", path, strerror(errno));
        goto out;
    }
    if (h->magic != SKEIN_SESSION_MAGIC || h->version != SKEIN_SESSION_VERSION || h->mode != mode ||
        h->vcpu_count > SKEIN_MAX_VCPUS || h->shard_count != h->vcpu_count + 1 ||
        SKEIN_SESSION_SHARDS_OFFSET + h->shard_count * h->shard_stride > st.st_size) {
        munmap(h, st.st_size);
        error_setg(errp, "%s is not a session of this version", path);
        goto out;
    }
    skein_vm.session = h;
    skein_vm.session_bytes = st.st_size;
    h->qemu_pid = getpid();
    skein_vm.lost = false;
    skein_vm.peer_fd = syscall(SYS_pidfd_open, h->skein_pid, 0);
    close(fd);
    return true;
out:
    if (fd >= 0) {
        close(fd);
    }
    return false;
}

void skein_session_unmap(void)
{
    if (skein_vm.peer_fd >= 0) {
        close(skein_vm.peer_fd);
        skein_vm.peer_fd = -1;
    }
    munmap(skein_vm.session, skein_vm.session_bytes);
    skein_vm.session = NULL;
}

bool skein_session_fits_machine(Error **errp)
{
    struct skein_session_header *h = skein_vm.session;
    MachineState *machine = MACHINE(qdev_get_machine());

    if (skein_replaying && (!tcg_enabled() || icount_enabled())) {
        error_setg(errp, "Skein needs the tcg accelerator without -icount");
    } else if (machine->smp.cpus != h->vcpu_count || machine->smp.max_cpus != h->vcpu_count) {
        error_setg(errp, "the session is for %u vCPUs, the machine has %u", h->vcpu_count,
                   machine->smp.max_cpus);
    } else if (skein_replaying && qemu_tcg_mttcg_enabled()) {
        error_setg(errp, "replaying needs -accel tcg,thread=single");
    } else {
        return skein_replaying || skein_machine_fits(h->scope == SKEIN_SCOPE_SYSTEM, errp);
    }
    return false;
}

static void let_go(void)
{
    if (skein_vm.console_fd >= 0) {
        close(skein_vm.console_fd);
        skein_vm.console_fd = -1;
    }
    g_free(skein_vm.cpus);
    skein_vm.cpus = NULL;
    skein_pages_free();
}

static void *shard_mem(uint32_t i)
{
    return (char *)skein_vm.session + SKEIN_SESSION_SHARDS_OFFSET +
           i * skein_vm.session->shard_stride;
}

static int open_shards(void)
{
    struct skein_session_header *h = skein_vm.session;
    struct skein_shard_writer *dw = &skein_vm.device_writer;
    int ret = 0;

    for (uint32_t i = 0; i < h->vcpu_count && !ret; i++) {
        SkeinCPU *c = &skein_vm.cpus[i];

        if (skein_replaying) {
            ret = skein_shard_reader_open(&c->reader, shard_mem(i), h->shard_stride);
        } else {
            ret = skein_shard_writer_open(&c->writer, shard_mem(i), h->shard_stride);
            c->writer.on_full = skein_log_full;
        }
    }
    if (ret) {
        return ret;
    }
    if (skein_replaying) {
        return skein_shard_reader_open(&skein_vm.device_reader, shard_mem(h->vcpu_count),
                                       h->shard_stride);
    }
    ret = skein_shard_writer_open(dw, shard_mem(h->vcpu_count), h->shard_stride);
    dw->on_full = skein_log_full;
    return ret;
}

static void attach_cpu(SkeinCPU *c, CPUState *cpu)
{
    c->cpu = cpu;
    c->id = cpu->cpu_index;
    /* Replay: nothing runs before the first event is looked at. */
    c->limit = skein_replaying ? 0 : SKEIN_FAR;
    c->stop = UINT64_MAX;
    cpu->skein_left = c->limit;
    c->in_kernel = skein_vm.system_scope ||
                   !((cpu_env(cpu)->hflags & HF_CPL_MASK) == 3 || (cpu_env(cpu)->eflags & VM_MASK));
    cpu->skein = c;
    if (c->in_kernel) {
        cpu->tcg_cflags |= CF_SKEIN;
    }
    if (skein_replaying && skein_vm.cpu_count > 1) {
        /* Atomic operations must take the same steps as when several threads ran. */
        cpu->tcg_cflags |= CF_PARALLEL;
    }
    skein_tlb_reset_mmuidx(cpu, (1 << NB_MMU_MODES) - 1, 0);
    tcg_flush_jmp_cache(cpu);
}

/* What a checkpoint holds beside the machine, and where the replay ends. */
static bool prepare_replay(const char *snapshot, Error **errp)
{
    const char *until = skein_vm.options->until;

    if (!skein_snapshot_load(snapshot, true, errp)) {
        return false;
    }
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        skein_pages_sync(&skein_vm.cpus[i]);
    }
    return !until || skein_until_begin(until, errp);
}

/* The VM stands still. */
bool skein_begin(const char *snapshot, const char *console, Error **errp)
{
    struct skein_session_header *h = skein_vm.session;
    int64_t t0 = get_clock();
    CPUState *cpu;

    if (!skein_replaying && !skein_devices_fit(h->scope == SKEIN_SCOPE_SYSTEM, errp)) {
        return false; /* some may have been added since it was prepared */
    }
    skein_vm.system_scope = h->scope == SKEIN_SCOPE_SYSTEM;
    skein_vm.cpu_count = h->vcpu_count;
    skein_vm.device_shard = h->vcpu_count;
    skein_vm.cpus = g_new0(SkeinCPU, h->vcpu_count);
    skein_vm.console_bytes = skein_vm.console_hash = skein_vm.console_shown = 0;
    skein_vm.uart_lcr = skein_vm.uart_mcr = 0;
    skein_vm.released_shard = SKEIN_SHARD_NONE;
    skein_vm.first_checkpoint = 0;
    skein_vm.slices_before = 0;
    skein_vm.running = NULL;
    skein_token_reset();
    if (h->digest_interval == 0) {
        h->digest_interval = 1;
    }
    if (!skein_machine_supported()) {
        error_setg(errp, "this machine type is not supported: use pc or q35");
        goto failed;
    }
    if (open_shards()) {
        error_setg(errp, "the session's shards are damaged");
        goto failed;
    }
    if (console) {
        skein_vm.console_fd = open(console, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    }
    if (skein_replaying ? !skein_snapshot_load(snapshot, false, errp)
                        : !skein_snapshot_save(snapshot, errp)) {
        goto failed;
    }
    skein_pages_init();
    CPU_FOREACH(cpu) {
        attach_cpu(&skein_vm.cpus[cpu->cpu_index], cpu);
    }
    if (skein_replaying && !prepare_replay(snapshot, errp)) {
        goto failed;
    }
    skein_epochs_begin();
    h->ram_bytes = MACHINE(qdev_get_machine())->ram_size;
    h->snapshot_ns = get_clock() - t0;
    h->start_ns = get_clock();
    h->tsc_start = (uint64_t)cpu_get_ticks();
    if (skein_replaying && skein_vm.options->trace && !skein_trace_open(errp)) {
        return false;
    }
    if (skein_replaying && skein_vm.options->find && !skein_finder_open(errp)) {
        return false;
    }
    skein_vm.active = true;
    if (skein_replaying) {
        qemu_clock_enable(QEMU_CLOCK_VIRTUAL, false);
    } else {
        skein_ignored_begin();
        skein_plug_watch(true);
        skein_dma_hook(true);
        skein_chaos_begin(skein_vm.options->chaos);
    }
    qatomic_store_release(&h->state, SKEIN_STATE_RUNNING);
    return true;
failed:
    let_go();
    return false;
}

static void append_end(struct skein_shard_writer *w, enum skein_end end, uint64_t icount,
                       uint64_t digest, uint64_t ram_hash)
{
    uint64_t p[5] = {icount, digest, skein_vm.console_bytes, skein_vm.console_hash, ram_hash};

    if (!skein_vm.lost && skein_shard_append(w, SKEIN_END, 0, end, p, sizeof(p))) {
        skein_shard_close(w);
    }
}

/* The vCPU runs on as one that was never recorded. */
static void detach_cpu(SkeinCPU *c)
{
    CPUState *cpu = c->cpu;

    cpu->tcg_cflags &= ~CF_SKEIN;
    cpu->skein = NULL;
    skein_tlb_reset_mmuidx(cpu, (1 << NB_MMU_MODES) - 1, get_clock_realtime());
    tcg_flush_jmp_cache(cpu);
}

/* Ends the recording. The VM stands still, no vCPU holds the token. */
void skein_finish(enum skein_end end)
{
    struct skein_session_header *h = skein_vm.session;
    uint64_t ram_hash = skein_vm.lost ? 0 : skein_digest_ram();

    skein_vm.active = false;
    skein_epochs_end();
    skein_dma_hook(false);
    skein_plug_watch(false);
    skein_ignored_end();
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        SkeinCPU *c = &skein_vm.cpus[i];

        h->kernel_icount += skein_icount(c);
        append_end(&c->writer, end, skein_icount(c), skein_digest_slice(c), ram_hash);
        detach_cpu(c);
    }
    append_end(&skein_vm.device_writer, end, 0, 0, ram_hash);
    skein_chaos_end();
    let_go();
    h->end_ns = get_clock();
    if (skein_vm.lost) {
        skein_fail("the collector is gone: the recording ends where the shards were full");
        return;
    }
    h->end = end;
    qatomic_store_release(&h->state, SKEIN_STATE_ENDED);
}

void skein_stop_and_finish(enum skein_end end, bool resume)
{
    if (skein_vm.active && !skein_replaying) {
        bool was_running = runstate_is_running();

        vm_stop(RUN_STATE_PAUSED);
        skein_finish(end);
        if (was_running && resume) {
            vm_start();
        }
    }
}
