/* The same for all modules: a device whose ioctl()s are their operations. */
#ifndef SKEIN_GUEST_BUGS_DEVICE_H
#define SKEIN_GUEST_BUGS_DEVICE_H

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "bug.h"

#define BUG_DEVICE(name_, ...)                                                                     \
    static const struct file_operations bug_operations = {.owner = THIS_MODULE, __VA_ARGS__};      \
    static struct miscdevice bug_device = {                                                        \
        .minor = MISC_DYNAMIC_MINOR, .name = name_, .fops = &bug_operations};                      \
    MODULE_LICENSE("GPL");                                                                         \
    MODULE_DESCRIPTION("a bug to hunt with Skein")

/* The detector's last words: where the word is whose last writer is to be found. */
#define BUG_REPORT(word, ...)                                                                      \
    do {                                                                                           \
        pr_emerg("SKEIN-BUG word=0x%px\n", (const void *)(word));                                  \
        panic(__VA_ARGS__);                                                                        \
    } while (0)

#endif
