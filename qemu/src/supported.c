/* No headers of QEMU here: the list is tested without it. */
#include "supported.h"

#include <stddef.h>
#include <string.h>

#define CPU_SUFFIX "-x86_64-cpu"

static const char *const supported[] = {
    /* the machines: pc, and q35 without AHCI */
    "i440FX-pcihost",
    "i440FX",
    "PIIX3",
    "piix3-ide",
    "PIIX4_PM",
    "q35-pcihost",
    "mch",
    "ICH9-LPC",
    "ICH9-SMB",
    "smbus-eeprom",
    "fw_cfg_io",
    "port92",
    "apic",
    "ioapic",
    "isa-i8259",
    "isa-pit",
    "isa-pcspk",
    "hpet",
    "mc146818rtc",
    "i8257",
    "isa-fdc",
    "i8042",
    "ps2-kbd",
    "ps2-mouse",
    "isa-serial",
    "serial",
    /* disks */
    "ide-hd",
    "nvme",
    "nvme-ns",
    "nvme-subsys",
    "virtio-blk-pci",
    "virtio-blk-device",
    /* network */
    "e1000",
    "virtio-net-pci",
    "virtio-net-device",
    /* the rest */
    "virtio-rng-pci",
    "virtio-rng-device",
    "virtio-serial-pci",
    "virtio-serial-device",
    "virtconsole",
    "pvpanic",
    "pvpanic-pci",
};

static bool is_cpu(const char *type)
{
    size_t len = strlen(type), suffix = strlen(CPU_SUFFIX);

    return len > suffix && strcmp(type + len - suffix, CPU_SUFFIX) == 0;
}

bool skein_device_supported(const char *type)
{
    for (size_t i = 0; i < sizeof(supported) / sizeof(supported[0]); i++) {
        if (strcmp(type, supported[i]) == 0) {
            return true;
        }
    }
    return is_cpu(type);
}
