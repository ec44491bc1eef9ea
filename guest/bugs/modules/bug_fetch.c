/*
 * Double fetch: the length of a message is read from user memory twice, once to check it and once
 * to copy. Another thread may change it in between.
 */
#include <linux/mutex.h>
#include <linux/uaccess.h>

#include "device.h"

#define CANARY 0x0ddba11c0ffee000ul

static struct {
    u8 text[BUG_MESSAGE_MAX];
    u64 canary;
    /* What the overflow may still reach: large enough for any message. */
    u8 room[sizeof(struct bug_message)];
} last = {.canary = CANARY};

static DEFINE_MUTEX(last_lock);

/* All of it between user_access_begin() and its end. */
static __always_inline long message_read(const struct bug_message __user *m) {
    u8 *text = last.text;
    u32 length, i;

    unsafe_get_user(length, &m->length, fault);
    if (length > BUG_MESSAGE_MAX) {
        return -EMSGSIZE;
    }
    bug_note(length);
    /* The bug: this need not be the length that was checked. */
    unsafe_get_user(length, &m->length, fault);
    length = min_t(u32, length, sizeof(m->text));
    for (i = 0; i < length; i++) {
        unsafe_get_user(text[i], &m->text[i], fault);
    }
    return 0;
fault:
    return -EFAULT;
}

static noinline long message_copy(const struct bug_message __user *m) {
    long status;

    if (!user_access_begin(m, sizeof(*m))) {
        return -EFAULT;
    }
    status = message_read(m);
    user_access_end();
    return status;
}

static noinline long message_send(const struct bug_message __user *m) {
    long status;

    mutex_lock(&last_lock);
    status = message_copy(m);
    if (last.canary != CANARY) {
        BUG_REPORT(&last.canary, "bug_fetch: a message has overflowed its buffer");
    }
    mutex_unlock(&last_lock);
    return status;
}

static long fetch_ioctl(struct file *file, unsigned int op, unsigned long arg) {
    return op == BUG_FETCH_SEND ? message_send((const struct bug_message __user *)arg) : -ENOTTY;
}

BUG_DEVICE("bug_fetch", .unlocked_ioctl = fetch_ioctl);
module_misc_device(bug_device);
