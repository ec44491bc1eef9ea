/*
 * Port I/O, MMIO and MSRs: reads are values from the log, writes go into the digest. In replay the
 * devices see nothing of it, except PCI configuration writes, which move the memory map.
 */
#include "accel/tcg/skein/state.h"

#include "exec/cputlb.h"

#define PCI_CONFIG_ADDRESS 0xcf8
#define PCI_CONFIG_DATA 0xcfc /* and the three above */
#define UART_BASE 0x3f8
#define UART_LCR 3
#define UART_MCR 4
#define UART_LCR_DLAB 0x80
#define UART_MCR_LOOP 0x10

/* The kernel is about to use a device: does not return when the recording cannot have that. */
static void check_device(SkeinCPU *c, hwaddr at, bool port, uintptr_t ra)
{
    if (unlikely(skein_vm.ignored)) {
        skein_ignored_check(c, at, port, ra);
    }
}

static void io_begin(SkeinCPU *c)
{
    c->io_ordinal++;
    c->in_io = true;
    if (skein_replaying) {
        skein_replay_io(c);
    }
}

void skein_io_end(CPUState *cpu)
{
    SkeinCPU *c = cpu->skein;

    if (c && c->in_io) {
        c->in_io = false;
    }
}

uint64_t skein_value(CPUX86State *env, uint32_t source, unsigned size, uint64_t addr,
                     uint64_t value)
{
    SkeinCPU *c = skein_of(env);
    uint32_t arg = skein_value_arg(source, size, addr);

    if (!c || !c->in_kernel) {
        return value;
    }
    if (skein_replaying) {
        const struct skein_record *r = skein_replay_next(c, SKEIN_VALUE);

        if (r->arg != arg) {
            skein_diverged(c, SKEIN_VALUE, r->arg, arg,
                           "source, size and address of a value (source | size << 8 | addr << 16)");
        }
        return *(const uint64_t *)(r + 1);
    }
    skein_log(c, SKEIN_VALUE, 0, arg, &value, sizeof(value));
    return value;
}

/* Comes before io_begin(): what devices do during the access finds the write in the digest. */
static void digest_write(SkeinCPU *c, uint64_t where, unsigned size, uint64_t value)
{
    skein_digest_add(c, -1, where);
    skein_digest_add(c, -1, size);
    skein_digest_add(c, -1, value);
}

static void console_byte(uint8_t byte)
{
    skein_vm.console_bytes++;
    skein_vm.console_hash = skein_mix(skein_vm.console_hash, byte);
    qatomic_set(&skein_vm.session->console_bytes, skein_vm.console_bytes);
    if (skein_vm.console_bytes <= skein_vm.console_shown) {
        return; /* a replay that went back */
    }
    skein_vm.console_shown = skein_vm.console_bytes;
    if (skein_vm.console_fd >= 0 && write(skein_vm.console_fd, &byte, 1) != 1) {
        skein_vm.console_fd = -1; /* nobody reads it any more: the hash still counts */
    }
}

/* The guest's console is what it sends to its first UART, outside of loopback tests. */
void skein_console_port(uint32_t port, unsigned size, uint32_t value)
{
    switch (port - UART_BASE) {
    case 0:
        if (!(skein_vm.uart_lcr & UART_LCR_DLAB) && !(skein_vm.uart_mcr & UART_MCR_LOOP)) {
            console_byte(value);
        }
        break;
    case UART_LCR:
        skein_vm.uart_lcr = value;
        break;
    case UART_MCR:
        skein_vm.uart_mcr = value;
        break;
    }
}

bool skein_port_in_begin(CPUX86State *env, uint32_t port, unsigned size, uint64_t *value,
                         uintptr_t ra)
{
    SkeinCPU *c = skein_of(env);

    if (!c->in_kernel) {
        /* The device acts, and perhaps writes memory. */
        skein_user_token(c, ra);
        return false;
    }
    check_device(c, port, true, ra);
    io_begin(c);
    if (skein_replaying) {
        *value = skein_value(env, SKEIN_VALUE_PORT, size, port, 0);
        c->in_io = false;
        return true;
    }
    return false;
}

void skein_port_in_end(CPUX86State *env, uint32_t port, unsigned size, uint64_t value)
{
    skein_io_end(env_cpu(env));
    skein_value(env, SKEIN_VALUE_PORT, size, port, value);
}

static bool is_pci_config(uint32_t port)
{
    return port == PCI_CONFIG_ADDRESS || (port & ~3u) == PCI_CONFIG_DATA;
}

bool skein_port_out_begin(CPUX86State *env, uint32_t port, unsigned size, uint32_t value,
                          uintptr_t ra)
{
    SkeinCPU *c = skein_of(env);

    if (!c->in_kernel) {
        /* The device acts, and perhaps writes memory. */
        skein_user_token(c, ra);
        return false;
    }
    check_device(c, port, true, ra);
    digest_write(c, port, size, value);
    io_begin(c);
    skein_console_port(port, size, value);
    if (skein_replaying) {
        c->in_io = false;
        return !is_pci_config(port);
    }
    return false;
}

void skein_msr_read_begin(CPUX86State *env)
{
    SkeinCPU *c = skein_of(env);

    if (c && c->in_kernel) {
        io_begin(c);
    }
}

void skein_msr_write_begin(CPUX86State *env, uint32_t index, uint64_t value)
{
    SkeinCPU *c = skein_of(env);

    if (c && c->in_kernel) {
        digest_write(c, 0x10000ull + index, 8, value);
        io_begin(c);
    }
}

void skein_x86_io_end(CPUX86State *env)
{
    skein_io_end(env_cpu(env));
}

bool skein_mmio_read_begin(CPUState *cpu, hwaddr phys, unsigned size, uintptr_t ra, uint64_t *value)
{
    SkeinCPU *c = cpu->skein;

    if (!c->in_kernel) {
        /* The device acts, and perhaps writes memory. */
        skein_user_token(c, ra);
        return false;
    }
    check_device(c, phys, false, ra);
    io_begin(c);
    if (skein_replaying) {
        *value = skein_value(skein_env(c), SKEIN_VALUE_MMIO, size, phys, 0);
        c->in_io = false;
        return true;
    }
    return false;
}

void skein_mmio_read_end(CPUState *cpu, hwaddr phys, unsigned size, uint64_t value)
{
    skein_io_end(cpu);
    skein_value(cpu_env(cpu), SKEIN_VALUE_MMIO, size, phys, value);
}

bool skein_mmio_write_begin(CPUState *cpu, hwaddr phys, unsigned size, uint64_t value, uintptr_t ra)
{
    SkeinCPU *c = cpu->skein;

    if (!c->in_kernel) {
        /* The device acts, and perhaps writes memory. */
        skein_user_token(c, ra);
        return false;
    }
    check_device(c, phys, false, ra);
    digest_write(c, phys, size, value);
    io_begin(c);
    if (skein_replaying) {
        c->in_io = false;
        return true;
    }
    return false;
}
