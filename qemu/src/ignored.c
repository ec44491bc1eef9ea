/*
 * Devices with rr-ignore=true are the guest's user mode's own: its drivers map their BARs. User
 * mode is not replayed, so neither are they.
 *
 * Their DMA is told from that of other devices by the region that it goes through, which lies
 * between the device and memory; a device that asks for a mapping gets a bounce buffer, since the
 * region is none of RAM. What they write is what user mode writes: the pages become user-dirty. The
 * kernel must leave their BARs alone; where it does not, the recording ends before that access. PCI
 * configuration space is the host bridge's: the kernel may read and write it as any other port.
 */
#include "accel/tcg/skein/state.h"

#include "accel/tcg/skein/ignored.h"

#include "exec/address-spaces.h"
#include "exec/target_page.h"
#include "hw/pci/pci.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/rcu.h"

/* What this thread does to RAM. */
static __thread enum skein_ignored_write writing;

enum skein_ignored_write skein_ignored_writes(void)
{
    return writing;
}

static AddressSpace *target_of(void *opaque)
{
    return pci_device_iommu_address_space(opaque);
}

static MemTxResult dma_read(void *opaque, hwaddr addr, uint64_t *value, unsigned size,
                            MemTxAttrs attrs)
{
    uint8_t bytes[8] = {0};
    MemTxResult r = address_space_read(target_of(opaque), addr, attrs, bytes, size);

    *value = ldn_le_p(bytes, size);
    return r;
}

/* To a page that is user-dirty and stays so: nobody needs to know. */
static bool is_shared(AddressSpace *as, hwaddr addr, unsigned size, MemTxAttrs attrs)
{
    hwaddr offset, len = size;
    MemoryRegion *mr = address_space_translate(as, addr, &offset, &len, true, attrs);

    return len == size && memory_region_is_ram(mr) &&
           (offset & ~TARGET_PAGE_MASK) + size <= TARGET_PAGE_SIZE &&
           skein_page_is_shared(memory_region_get_ram_addr(mr) + offset);
}

/* Without the token, until end_free(). Pairs with begin_to_cover(): it sees this, or this sees that
 * it began. */
static bool begin_free(AddressSpace *as, hwaddr addr, unsigned size, MemTxAttrs attrs)
{
    RCU_READ_LOCK_GUARD();
    qatomic_inc(&skein_vm.free_writers);
    if (skein_vm.active && is_shared(as, addr, size, attrs)) {
        return true;
    }
    qatomic_dec(&skein_vm.free_writers);
    return false;
}

static void end_free(void)
{
    qatomic_dec(&skein_vm.free_writers);
}

static MemTxResult dma_write(void *opaque, hwaddr addr, uint64_t value, unsigned size,
                             MemTxAttrs attrs)
{
    AddressSpace *as = target_of(opaque);
    bool is_free = begin_free(as, addr, size, attrs);
    uint8_t bytes[8];
    MemTxResult r;

    stn_le_p(bytes, size, value);
    writing = is_free ? SKEIN_IGNORED_WRITE_FREE : SKEIN_IGNORED_WRITE;
    r = address_space_write(as, addr, attrs, bytes, size);
    writing = SKEIN_IGNORED_WRITE_NONE;
    if (is_free) {
        end_free();
    }
    return r;
}

static const MemoryRegionOps dma_ops = {
    .read_with_attrs = dma_read,
    .write_with_attrs = dma_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 1, .max_access_size = 8, .unaligned = true},
    .impl = {.min_access_size = 1, .max_access_size = 8, .unaligned = true},
};

MemoryRegion *skein_ignored_dma(PCIDevice *dev, MemoryRegion *to)
{
    if (!dev->rr_ignore) {
        return to;
    }
    memory_region_init_io(&dev->rr_ignored_dma, OBJECT(dev), &dma_ops, dev, "rr-ignore",
                          memory_region_size(to));
    /* The device writes memory while it is written to, as ever. */
    dev->rr_ignored_dma.disable_reentrancy_guard = true;
    /* Its mappings are bounce buffers, of any size. */
    dev->bus_master_as.max_bounce_buffer_size = SIZE_MAX;
    return &dev->rr_ignored_dma;
}

AddressSpace *skein_ignored_virtio(DeviceState *proxy, AddressSpace *memory)
{
    PCIDevice *dev = (PCIDevice *)object_dynamic_cast(OBJECT(proxy), TYPE_PCI_DEVICE);

    return dev && dev->rr_ignore ? pci_get_address_space(dev) : memory;
}

static int gather(Object *obj, void *opaque)
{
    PCIDevice *dev = (PCIDevice *)object_dynamic_cast(obj, TYPE_PCI_DEVICE);

    if (dev && dev->rr_ignore) {
        g_ptr_array_add(opaque, object_ref(obj));
    }
    return 0;
}

void skein_ignored_begin(void)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(object_unref);

    object_child_foreach_recursive(object_get_root(), gather, found);
    skein_vm.touched = false;
    if (found->len) {
        skein_vm.ignored = found;
    } else {
        g_ptr_array_unref(found);
    }
}

void skein_ignored_end(void)
{
    g_clear_pointer(&skein_vm.ignored, g_ptr_array_unref);
}

static const PCIIORegion *bar_at(const PCIDevice *dev, hwaddr at, bool port)
{
    for (int i = 0; i < PCI_NUM_REGIONS; i++) {
        const PCIIORegion *bar = &dev->io_regions[i];

        if (bar->size && bar->addr != PCI_BAR_UNMAPPED &&
            !!(bar->type & PCI_BASE_ADDRESS_SPACE_IO) == port && at >= bar->addr &&
            at - bar->addr < bar->size) {
            return bar;
        }
    }
    return NULL;
}

static void end_recording(void *unused)
{
    skein_stop_and_finish(SKEIN_END_IGNORED, true);
}

/* Once: the vCPU comes back here until it is stopped. */
static void explain(SkeinCPU *c, const PCIDevice *dev, const PCIIORegion *bar, hwaddr at)
{
    struct skein_session_header *h = skein_vm.session;
    const char *id = dev->qdev.id;

    if (qatomic_xchg(&skein_vm.touched, true)) {
        return;
    }
    snprintf(h->message, sizeof(h->message),
             "the kernel used %s%s%s%s, which has rr-ignore: BAR %d + 0x%" PRIx64
             ", vCPU %u, PC 0x%" PRIx64 "; the recording ends before that",
             object_get_typename(OBJECT(dev)), id ? " (" : "", id ? id : "", id ? ")" : "",
             (int)(bar - dev->io_regions), at - bar->addr, c->id, (uint64_t)skein_env(c)->eip);
    error_report("%s", h->message);
    aio_bh_schedule_oneshot(qemu_get_aio_context(), end_recording, NULL);
}

void skein_ignored_check(SkeinCPU *c, hwaddr at, bool port, uintptr_t ra)
{
    for (guint i = 0; i < skein_vm.ignored->len; i++) {
        const PCIDevice *dev = g_ptr_array_index(skein_vm.ignored, i);
        const PCIIORegion *bar = dev->qdev.realized ? bar_at(dev, at, port) : NULL;

        if (bar) {
            /* The access is made again, and by then nothing is recorded. */
            cpu_restore_state(c->cpu, ra);
            explain(c, dev, bar, at);
            cpu_loop_exit(c->cpu);
        }
    }
}
