/*
 * The port at which the guest's workload reports how it has ended.
 */
#include "accel/tcg/skein/state.h"

#include "exec/address-spaces.h"

/* The guest's workload has ended; the first status counts. */
static void exit_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    struct skein_session_header *h = skein_vm.session;

    if (skein_vm.active && !h->exit_reported) {
        h->exit_status = value;
        qatomic_store_release(&h->exit_reported, 1);
    }
}

static uint64_t exit_read(void *opaque, hwaddr addr, unsigned size)
{
    return 0;
}

static const MemoryRegionOps exit_ops = {
    .read = exit_read,
    .write = exit_write,
    .impl = {.min_access_size = 1, .max_access_size = 1},
};

void skein_exit_port_add(MemoryRegion *port, Object *owner)
{
    memory_region_init_io(port, owner, &exit_ops, NULL, "skein-exit", 1);
    memory_region_add_subregion(get_system_io(), SKEIN_EXIT_PORT, port);
}
