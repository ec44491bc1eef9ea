/*
 * Devices with rr-ignore=true: a guest's user mode drives them, and they are left out of a
 * recording. What QEMU's PCI calls.
 */
#ifndef ACCEL_TCG_SKEIN_IGNORED_H
#define ACCEL_TCG_SKEIN_IGNORED_H

#include "exec/memory.h"
#include "hw/pci/pci_device.h"

/* pci.c: what the device's DMA goes to instead of `to`, which it ends in. */
MemoryRegion *skein_ignored_dma(PCIDevice *dev, MemoryRegion *to);

/* virtio-bus.c: the same for a device of virtio, which else writes memory by itself. */
AddressSpace *skein_ignored_virtio(DeviceState *proxy, AddressSpace *memory);

#endif
