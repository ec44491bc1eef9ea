/*
 * A list corrupted by an unlocked update: the open files of the device stand in a list, the one
 * that was used last at its end. Whoever uses one unlocks the list too early.
 */
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "device.h"

struct client {
    struct list_head node;
    pid_t owner;
};

static DEFINE_SPINLOCK(clients_lock);
static LIST_HEAD(clients);

/* Behind the last one: list_add_tail(), with a note between its check and its change. */
static noinline void client_append(struct client *c) {
    struct list_head *last = READ_ONCE(clients.prev);

    if (!__list_add_valid(&c->node, last, &clients)) {
        return;
    }
    bug_note((u64)last);
    WRITE_ONCE(clients.prev, &c->node);
    WRITE_ONCE(c->node.next, &clients);
    WRITE_ONCE(c->node.prev, last);
    WRITE_ONCE(last->next, &c->node);
}

static noinline long client_touch(struct client *c) {
    spin_lock(&clients_lock);
    list_del(&c->node);
    spin_unlock(&clients_lock);
    /* The bug: the lock should be held until the client is back in the list. */
    client_append(c);
    return 0;
}

static int list_open(struct inode *inode, struct file *file) {
    struct client *c = kzalloc(sizeof(*c), GFP_KERNEL);
    if (!c) {
        return -ENOMEM;
    }
    c->owner = current->pid;
    file->private_data = c;
    spin_lock(&clients_lock);
    client_append(c);
    spin_unlock(&clients_lock);
    return 0;
}

static int list_release(struct inode *inode, struct file *file) {
    struct client *c = file->private_data;

    spin_lock(&clients_lock);
    list_del(&c->node);
    spin_unlock(&clients_lock);
    kfree(c);
    return 0;
}

static long list_ioctl(struct file *file, unsigned int op, unsigned long arg) {
    return op == BUG_LIST_TOUCH ? client_touch(file->private_data) : -ENOTTY;
}

BUG_DEVICE("bug_list", .open = list_open, .release = list_release, .unlocked_ioctl = list_ioctl);
module_misc_device(bug_device);
