/*
 * ABBA deadlock: two accounts, each with its lock, and a transfer that locks first the one it takes
 * from. Two transfers in opposite directions wait for each other for ever.
 */
#include <linux/mutex.h>

#include "device.h"

struct account {
    struct mutex lock;
    long balance;
};

static struct account accounts[2] = {
    {.lock = __MUTEX_INITIALIZER(accounts[0].lock), .balance = 1000},
    {.lock = __MUTEX_INITIALIZER(accounts[1].lock), .balance = 1000},
};

static noinline long transfer(struct account *from, struct account *to) {
    long status = -ENOSPC;

    mutex_lock(&from->lock);
    bug_note((u64)current);
    /* The bug: whoever transfers the other way may have the other lock already. */
    mutex_lock(&to->lock);
    if (from->balance > 0) {
        from->balance--;
        to->balance++;
        status = 0;
    }
    mutex_unlock(&to->lock);
    mutex_unlock(&from->lock);
    return status;
}

static long abba_ioctl(struct file *file, unsigned int op, unsigned long arg) {
    if (op != BUG_ABBA_TRANSFER || arg > 1) {
        return -EINVAL;
    }
    return transfer(&accounts[arg], &accounts[1 - arg]);
}

BUG_DEVICE("bug_abba", .unlocked_ioctl = abba_ioctl);
module_misc_device(bug_device);
