/* What a user-mode driver of a PCI device needs: its registers, and memory for its DMA. */
#ifndef SKEIN_GUEST_PCIDRIVER_H
#define SKEIN_GUEST_PCIDRIVER_H

#include <stdbool.h>
#include <stdint.h>

enum { PAGE_BYTES = 4096 };

/* The first device of that class (…/class in sysfs), whose memory and DMA are switched on and whose
 * interrupts off: that BAR of it. Nobody may have bound it. */
volatile void *pci_map(uint32_t device_class, int bar);

/* Switches the memory of the first device of that class on or off: its BARs are in the memory map,
 * or they are not. Nobody may have bound it. */
void pci_memory(uint32_t device_class, bool on);

/* A page of memory that stays where it is, full of zeros and never written from here; *at: where it
 * is for a device. */
void *dma_page(uint64_t *at);
void dma_free(void *page);

/* What a device has put at bytes is given to the kernel, as the name of a file and as what is in
 * it, and must come back the same. name must end in a zero. */
void kernel_takes(const char *name, const void *bytes, uint32_t length);

/* Polls until the bits are so, for some seconds. */
void await_bits(volatile uint32_t *word, uint32_t mask, uint32_t value, const char *what);

#endif
