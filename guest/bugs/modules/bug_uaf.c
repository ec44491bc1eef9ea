/*
 * Use after free: who looks an object up takes its reference too late.
 *
 * USE finds the published object, counts a reference, and uses it. REPLACE publishes a new one and
 * drops the old one's reference. An object that is replaced between USE's look-up and its
 * reference is freed, and used nevertheless.
 */
#include <linux/slab.h>

#include "device.h"

#define OBJECT_LIVE 0x6c697665u
#define OBJECT_DEAD 0xdeaddeadu
#define QUARANTINE 256

struct object {
    u32 magic;
    atomic_t references;
    u64 generation;
    u64 uses;
};

static struct kmem_cache *cache;
static struct object *published;
static u64 generation;

static noinline struct object *object_make(void) {
    struct object *o = kmem_cache_alloc(cache, GFP_KERNEL);
    if (o) {
        WRITE_ONCE(o->magic, OBJECT_LIVE);
        atomic_set(&o->references, 1);
        o->generation = ++generation;
    }
    return o;
}

/* Memory is used again late, as with KASAN: an object that is dead is seen to be. */
static noinline void object_free(struct object *o) {
    static struct object *quarantine[QUARANTINE];
    static unsigned int next;

    WRITE_ONCE(o->magic, OBJECT_DEAD);
    swap(o, quarantine[next++ % QUARANTINE]);
    if (o) {
        kmem_cache_free(cache, o);
    }
}

static void object_put(struct object *o) {
    if (atomic_dec_and_test(&o->references)) {
        object_free(o);
    }
}

static noinline struct object *object_get(void) {
    struct object *o = READ_ONCE(published);
    if (o) {
        bug_note(o->generation);
        /* The bug: until here nothing keeps the object. */
        atomic_inc(&o->references);
    }
    return o;
}

static noinline void object_check(const struct object *o) {
    if (READ_ONCE(o->magic) != OBJECT_LIVE) {
        BUG_REPORT(&o->magic, "bug_uaf: object of generation %llu is used after it was freed",
                   o->generation);
    }
}

static noinline long use(void) {
    struct object *o = object_get();
    if (!o) {
        return -ENOENT;
    }
    object_check(o);
    o->uses++;
    object_put(o);
    return 0;
}

/* The device's open file is used by one process: nobody else replaces. */
static noinline long replace(void) {
    struct object *o = object_make(), *old;
    if (!o) {
        return -ENOMEM;
    }
    old = xchg(&published, o);
    if (old) {
        object_put(old);
    }
    return 0;
}

static long uaf_ioctl(struct file *file, unsigned int op, unsigned long arg) {
    switch (op) {
    case BUG_UAF_USE:
        return use();
    case BUG_UAF_REPLACE:
        return replace();
    default:
        return -ENOTTY;
    }
}

BUG_DEVICE("bug_uaf", .unlocked_ioctl = uaf_ioctl);

/* A cache with a constructor is shared with nobody, and keeps its hands off free objects. */
static void object_construct(void *o) {
    memset(o, 0, sizeof(struct object));
}

static int __init uaf_init(void) {
    int status;

    cache = kmem_cache_create("bug_uaf", sizeof(struct object), 0, 0, object_construct);
    if (!cache) {
        return -ENOMEM;
    }
    status = replace();
    if (!status) {
        status = misc_register(&bug_device);
    }
    return status;
}

module_init(uaf_init);
