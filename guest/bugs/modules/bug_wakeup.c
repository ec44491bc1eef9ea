/*
 * Lost wake-up: a mailbox for one letter. WAIT looks whether there is one, and if not, goes to
 * sleep; POST puts one there and wakes who sleeps. A letter that comes between the look and the
 * sleep wakes nobody.
 */
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "device.h"

static struct {
    int full;
    struct task_struct *sleeper;
} mailbox;

static __always_inline void mailbox_sleep(void) {
    bug_note((u64)current);
    /* The bug: this should be said before the look into the mailbox. */
    set_current_state(TASK_INTERRUPTIBLE);
    WRITE_ONCE(mailbox.sleeper, current);
    schedule();
    WRITE_ONCE(mailbox.sleeper, NULL);
}

static noinline long mailbox_wait(void) {
    while (!READ_ONCE(mailbox.full)) {
        mailbox_sleep();
        if (signal_pending(current)) {
            return -EINTR;
        }
    }
    WRITE_ONCE(mailbox.full, 0);
    return 0;
}

static noinline long mailbox_post(void) {
    struct task_struct *sleeper;

    WRITE_ONCE(mailbox.full, 1);
    smp_mb(); /* pairs with the one in set_current_state() */
    sleeper = READ_ONCE(mailbox.sleeper);
    if (sleeper) {
        wake_up_process(sleeper);
    }
    return 0;
}

static long wakeup_ioctl(struct file *file, unsigned int op, unsigned long arg) {
    switch (op) {
    case BUG_WAKEUP_WAIT:
        return mailbox_wait();
    case BUG_WAKEUP_POST:
        return mailbox_post();
    default:
        return -ENOTTY;
    }
}

BUG_DEVICE("bug_wakeup", .unlocked_ioctl = wakeup_ioctl);
module_misc_device(bug_device);
