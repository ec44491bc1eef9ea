#include "cli/qemu_refuse.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * One rule: an option (without its dashes), a pattern that its value must match for the rule to
 * apply (NULL: any value, or none), and why. The first match decides.
 */
struct rule {
    const char *option;
    const char *value;
    const char *why;
};

#define CHOSEN "Skein sets it itself"
#define USE(option) "use skein record's own " option
#define RAM_BEHIND "it changes guest RAM behind the recorder's back"
#define OWN_THREAD "it writes guest RAM from a thread that the recorder does not see"

static const struct rule rules[] = {
    {"icount", NULL, "the recorder counts instructions itself"},
    {"accel", NULL, "recording runs on multi-threaded TCG"},
    {"enable-kvm", NULL, "recording runs on multi-threaded TCG"},
    {"kernel", NULL, USE("--kernel")},
    {"initrd", NULL, USE("--initrd")},
    {"append", NULL, USE("--append")},
    {"smp", NULL, USE("--smp")},
    {"m", NULL, USE("--memory")},
    {"cpu", NULL, USE("--cpu")},
    {"machine", NULL, CHOSEN},
    {"M", NULL, CHOSEN},
    {"serial", NULL, CHOSEN},
    {"nographic", NULL, CHOSEN},
    {"vga", "none", NULL},
    {"vga", NULL, "a display adapter's memory cannot be recorded"},
    {"display", "none", NULL},
    {"display", NULL, "a display adapter's memory cannot be recorded"},
    {"vnc", NULL, "a display adapter's memory cannot be recorded"},
    {"spice", NULL, "a display adapter's memory cannot be recorded"},
    {"mem-path", NULL, "shared and huge-page guest RAM cannot be recorded"},
    {"mem-prealloc", NULL, "shared and huge-page guest RAM cannot be recorded"},
    {"numa", NULL, "a replay's machine has one plain block of RAM"},
    {"S", NULL, "nobody would start the guest"},
    {"gdb", NULL, "a debugger changes the guest behind the recorder's back"},
    {"s", NULL, "a debugger changes the guest behind the recorder's back"},
    {"incoming", NULL, "a recording begins at boot or in a guest that it started"},
    {"loadvm", NULL, "a recording begins at boot or in a guest that it started"},
    {"readconfig", NULL, "its contents cannot be checked"},
    {"daemonize", NULL, "skein record watches its QEMU"},
    {"object", "iothread*", "I/O threads " RAM_BEHIND},
    {"object", "*qom-type=iothread*", "I/O threads " RAM_BEHIND},
    {"object", "memory-backend-*", "shared and huge-page guest RAM cannot be recorded"},
    {"object", "skein-*", CHOSEN},
    {"device", "*iothread=*", OWN_THREAD},
    {"device", "*iothread-vq-mapping*", OWN_THREAD},
    {"device", "vhost-*", "vhost: " OWN_THREAD},
    {"device", "*vhost-user*", "vhost: " OWN_THREAD},
    {"netdev", "*vhost-user*", "vhost: " OWN_THREAD},
    {"netdev", "vhost-vdpa*", "vhost: " OWN_THREAD},
    {"netdev", "*vhost=off*", NULL},
    {"netdev", "*vhost*", "vhost: " OWN_THREAD},
    {"nic", "*vhost=off*", NULL},
    {"nic", "*vhost*", "vhost: " OWN_THREAD},
    {"net", "*vhost*", "vhost: " OWN_THREAD},
    {"device", "vfio-*", "a host device writes guest RAM by itself"},
    {"device", "*ahci*", RAM_BEHIND},
    {"pflash", NULL, "flash memory is neither RAM nor a device's register"},
    {"drive", "*if=pflash*", "flash memory is neither RAM nor a device's register"},
    {"device", "ivshmem*", "others write its shared memory"},
    {"device", "virtio-balloon*", RAM_BEHIND},
    {"device", "virtio-mem*", RAM_BEHIND},
    {"device", "virtio-pmem*", RAM_BEHIND},
    {"device", "pc-dimm*", "hot-plugged RAM cannot be recorded"},
    {"device", "nvdimm*", "hot-plugged RAM cannot be recorded"},
    {"device", "*VGA*", "a display adapter's memory cannot be recorded"},
    {"device", "*vga*", "a display adapter's memory cannot be recorded"},
    {"device", "*virtio-gpu*", "a display adapter's memory cannot be recorded"},
    {"device", "qxl*", "a display adapter's memory cannot be recorded"},
    {"device", "*display*", "a display adapter's memory cannot be recorded"},
    {"device", "cirrus*", "a display adapter's memory cannot be recorded"},
    {"device", "*-x86_64-cpu*", "vCPUs cannot be hot-plugged into a recording"},
};

static bool rule_matches(const struct rule *r, const char *option, const char *value) {
    if (strcmp(r->option, option) != 0)
        return false;
    return r->value == NULL || (value != NULL && fnmatch(r->value, value, 0) == 0);
}

static const struct rule *find_rule(const char *option, const char *value) {
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rule_matches(&rules[i], option, value))
            return &rules[i];
    return NULL;
}

int skein_qemu_refuse(char *const *args, struct skein_error *err) {
    for (; *args != NULL; args++) {
        if (**args != '-')
            continue;
        const char *option = *args + (args[0][1] == '-' ? 2 : 1);
        const char *value = args[1] != NULL && *args[1] != '-' ? args[1] : NULL;
        const struct rule *r = find_rule(option, value);
        if (r == NULL || r->why == NULL)
            continue;
        bool by_value = r->value != NULL;
        return skein_error_set(err, -EINVAL, "cannot record with -%s%s%s: %s", option,
                               by_value ? " " : "", by_value ? value : "", r->why);
    }
    return 0;
}
