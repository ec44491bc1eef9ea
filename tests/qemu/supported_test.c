#include "qemu/src/supported.h"

#include <criterion/criterion.h>

static void expect(bool supported, const char *const *types) {
    for (; *types != NULL; types++)
        cr_assert_eq(skein_device_supported(*types), supported, "%s", *types);
}

Test(supported, what_the_tests_record) {
    expect(true, (const char *const[]){"nvme", "e1000", "virtio-net-pci", "virtio-net-device",
                                       "ide-hd", "isa-serial", "hpet", "i440FX", NULL});
}

Test(supported, any_model_of_a_vcpu) {
    expect(true, (const char *const[]){"max-x86_64-cpu", "qemu64-x86_64-cpu", NULL});
    expect(false, (const char *const[]){"-x86_64-cpu", "max-x86_64-cpu2", "x86_64-cpu", NULL});
}

Test(supported, nothing_else) {
    expect(false,
           (const char *const[]){"", "usb-ehci", "megasas", "virtio-balloon-pci", "ich9-ahci",
                                 "e1000e", "e100", "nvme2", "NVME", "vfio-pci", NULL});
}
