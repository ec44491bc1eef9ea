#include "cli/event_names.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/pipeline/events.h"

#define RAX (1ull << SKEIN_SLOT_GPR)
#define RIP (1ull << SKEIN_SLOT_RIP)

static struct skein_event_names *names;

static void open_names(void) {
    cr_assert_eq(skein_event_names_create(&names), 0);
}

static void close_names(void) {
    skein_event_names_free(names);
}

/* An ENTRY with up to two slots. */
static const struct skein_record *entry(uint32_t type, uint32_t vector, uint64_t mask, uint64_t a,
                                        uint64_t b) {
    static struct any_record rec;
    const uint64_t words[] = {0, 0, 0, mask, a, b};
    const size_t bytes = 8 * (4 + (size_t)__builtin_popcountll(mask));
    rec.header = (struct skein_record){.size_bytes = (uint16_t)(sizeof(rec.header) + bytes),
                                       .kind = SKEIN_ENTRY,
                                       .arg = skein_entry_arg(type, vector)};
    memcpy(rec.payload, words, bytes);
    return &rec.header;
}

static void enters(const struct skein_record *rec, const char *expected) {
    cr_assert_str_eq(skein_event_names_entry(names, rec), expected);
}

Test(event_names, system_calls) {
    open_names();
    const uint32_t int80 = SKEIN_ENTRY_EXCEPTION | SKEIN_ENTRY_IS_INT;
    enters(entry(SKEIN_ENTRY_SYSCALL, 0, RAX, 257, 0), "openat");
    enters(entry(SKEIN_ENTRY_SYSCALL, 0, RAX | RIP, 1, 0x401000), "write");
    enters(entry(SKEIN_ENTRY_SYSCALL, 0, RAX | RIP, 1, 0xf7fc0579), "exit");
    enters(entry(SKEIN_ENTRY_SYSCALL, 0, RAX | RIP, 1, 0x7ffff7fc0579), "write");
    enters(entry(SKEIN_ENTRY_SYSENTER, 0, RAX, 1, 0), "exit");
    enters(entry(int80, 0x80, RAX, 5, 0), "open");
    enters(entry(SKEIN_ENTRY_SYSCALL, 0, RAX, 999, 0), "syscall 999");
    enters(entry(SKEIN_ENTRY_SYSCALL, 0, RAX, UINT64_MAX, 0), "syscall ?");
    enters(entry(SKEIN_ENTRY_SYSCALL, 0, RIP, 0x401000, 0), "syscall ?");
    close_names();
}

Test(event_names, vectors) {
    open_names();
    enters(entry(SKEIN_ENTRY_EXCEPTION, 14, 0, 0, 0), "#PF");
    enters(entry(SKEIN_ENTRY_EXCEPTION, 9, 0, 0, 0), "exception 0x09");
    enters(entry(SKEIN_ENTRY_EXCEPTION | SKEIN_ENTRY_IS_INT, 3, 0, 0, 0), "#BP");
    enters(entry(SKEIN_ENTRY_EXCEPTION | SKEIN_ENTRY_IS_INT, 0x81, 0, 0, 0), "int 0x81");
    enters(entry(SKEIN_ENTRY_INTERRUPT, 0xec, 0, 0, 0), "irq timer");
    enters(entry(SKEIN_ENTRY_INTERRUPT, 0xfb, 0, 0, 0), "irq call function single");
    enters(entry(SKEIN_ENTRY_INTERRUPT, 0xff, 0, 0, 0), "irq spurious");
    enters(entry(SKEIN_ENTRY_INTERRUPT, 0x31, 0, 0, 0), "irq 0x31");
    enters(entry(SKEIN_ENTRY_NMI, 2, 0, 0, 0), "NMI");
    enters(entry(99, 0, 0, 0, 0), "entry ?");
    close_names();
}

Test(event_names, a_record_without_a_shape_has_a_name_too) {
    open_names();
    struct random rng = {7};
    struct any_record rec;
    for (int i = 0; i < 20000; i++) {
        events_make_odd(&rng, &rec);
        rec.header.arg = (uint32_t)random_next(&rng) & 0xff87;
        rec.header.kind = SKEIN_ENTRY;
        cr_assert_neq(*skein_event_names_entry(names, &rec.header), '\0');
        cr_assert_neq(*skein_event_names_interrupt(names, &rec.header), '\0');
    }
    close_names();
}

Test(event_names, slots) {
    open_names();
    cr_assert_str_eq(skein_slot_name(SKEIN_SLOT_RIP), "rip");
    cr_assert_str_eq(skein_slot_name(SKEIN_SLOT_SEG + 3), "cs");
    cr_assert_str_eq(skein_slot_name(SKEIN_SLOT_SEG + 3 * 4 + 1), "fs.base");
    cr_assert_str_eq(skein_slot_name(SKEIN_SLOT_CR2), "cr2");
    cr_assert_str_eq(skein_slot_name(SKEIN_SLOT_HFLAGS), "hflags");
    cr_assert_null(skein_slot_name(SKEIN_SLOT_COUNT));
    const uint64_t *rip = skein_entry_slot(entry(1, 0, RAX | RIP, 5, 6), SKEIN_SLOT_RIP);
    cr_assert(rip != NULL && *rip == 6);
    close_names();
}
