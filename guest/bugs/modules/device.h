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

/*
 * What every module does in the middle of its bug: it notes in a history who was here. No branch,
 * no call: an interleaving that goes wrong has to begin between two of its instructions, where a
 * translator's blocks do not end and only chaos ends them.
 */
#define BUG_HISTORY 96
static u64 bug_history[BUG_HISTORY];

static __always_inline void bug_note(u64 what) {
#pragma GCC unroll 96
    for (int i = BUG_HISTORY - 1; i > 0; i--) {
        WRITE_ONCE(bug_history[i], READ_ONCE(bug_history[i - 1]));
    }
    WRITE_ONCE(bug_history[0], what);
}

#endif
