/*
 * The guest kernel's symbols, for a debugger. Physical memory is all that is read: what a vCPU is
 * doing, and which page tables it uses meanwhile, does not matter.
 */
#include "accel/tcg/skein/state.h"

#include "exec/address-spaces.h"
#include "hw/boards.h"
#include "hw/i386/x86.h"
#include "qemu/units.h"

#include "accel/tcg/skein/symbols.h"
#include "replay/kernel.h"
#include "replay/symbol_elf.h"
#include "replay/vmlinux.h"

/* RAM only: reading a device's registers would change the device. */
static int read_ram(void *opaque, uint64_t address, void *to, size_t bytes)
{
    RCU_READ_LOCK_GUARD();

    while (bytes) {
        hwaddr at, piece = bytes;
        MemoryRegion *region = address_space_translate(&address_space_memory, address, &at, &piece,
                                                       false, MEMTXATTRS_UNSPECIFIED);

        if (!memory_region_is_ram(region) || memory_region_is_ram_device(region) || !piece) {
            return -EFAULT;
        }
        memcpy(to, (char *)memory_region_get_ram_ptr(region) + at, piece);
        to = (char *)to + piece;
        address += piece;
        bytes -= piece;
    }
    return 0;
}

static uint64_t ram_end(void)
{
    const X86MachineState *x86 =
        (void *)object_dynamic_cast(OBJECT(current_machine), TYPE_X86_MACHINE);

    if (!x86) {
        return current_machine->ram_size;
    }
    return x86->above_4g_mem_size ? (4 * GiB) + x86->above_4g_mem_size : x86->below_4g_mem_size;
}

/* Where system calls enter the kernel, which is mapped in user mode's page tables too. */
static void hints_from_entry(struct skein_kernel_hints *hints)
{
    CPUState *cs;

    CPU_FOREACH(cs) {
        const uint64_t entry = cpu_env(cs)->lstar;
        MemTxAttrs attrs;
        hwaddr page;

        if (entry) {
            hints->syscall_entry = entry;
            page = cpu_get_phys_page_attrs_debug(cs, entry & TARGET_PAGE_MASK, &attrs);
            if (page != -1) {
                hints->search_from = page;
                return;
            }
        }
    }
}

static bool find_kernel(struct skein_kernel *kernel, struct skein_error *error)
{
    const struct skein_guest_memory physical = {.read = read_ram};
    struct skein_kernel_hints hints = {.physical_end = ram_end()};

    hints_from_entry(&hints);
    return skein_kernel_find(&physical, &hints, kernel, error) == 0;
}

bool skein_symbols_write(const char *path, char *message, size_t size)
{
    struct skein_error error = {""};
    struct skein_kernel kernel;
    bool ok = find_kernel(&kernel, &error);

    if (ok) {
        ok = skein_symbol_elf_write(&kernel, path, &error) == 0;
        skein_kernel_describe(&kernel, message, size);
        skein_kernel_free(&kernel);
    }
    if (!ok) {
        snprintf(message, size, "%s", error.text);
    }
    return ok;
}

bool skein_symbols_vmlinux(const char *path, uint64_t *offset, char *message, size_t size)
{
    struct skein_error error = {""};
    struct skein_vmlinux vmlinux;
    struct skein_kernel kernel;
    bool ok = skein_vmlinux_read(path, &vmlinux, &error) == 0 && find_kernel(&kernel, &error);

    if (ok) {
        ok = skein_vmlinux_match(&vmlinux, &kernel, path, offset, &error) == 0;
        skein_kernel_describe(&kernel, message, size);
        skein_kernel_free(&kernel);
    }
    if (!ok) {
        snprintf(message, size, "%s", error.text);
    }
    return ok;
}
