/*
 * What people call the things in events: system calls, exceptions, Linux's interrupt vectors, value
 * sources, slots. (Ends: skein_end_name() in report.h; kinds: skein_kind_name() in event.h.)
 */
#ifndef SKEIN_CLI_EVENT_NAMES_H
#define SKEIN_CLI_EVENT_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/event.h"

struct skein_event_names;

/* 0 or -ENOMEM. The names that the functions below return live as long as this. */
int skein_event_names_create(struct skein_event_names **out);
void skein_event_names_free(struct skein_event_names *names);

/* "openat"; "syscall 999" for one without a name. i386: INT 80h's numbers, not SYSCALL's. */
const char *skein_event_names_syscall(const struct skein_event_names *names, uint64_t number,
                                      bool i386);

/* "#PF"; "exception 0x1f" for one without a name; "int 0x81" for what only INT n can raise. */
const char *skein_event_names_exception(const struct skein_event_names *names, uint32_t vector);

/* "irq timer"; "irq 0x31" for a device's. The names are those of Linux 6.1. */
const char *skein_event_names_irq(const struct skein_event_names *names, uint32_t vector);

/*
 * What an ENTRY enters: "openat", "#PF", "irq timer", "NMI", …. "syscall ?" where the log does not
 * say which. Never NULL, whatever the record holds.
 */
const char *skein_event_names_entry(const struct skein_event_names *names,
                                    const struct skein_record *rec);

/* What an INTERRUPT is: "irq timer", "NMI", …, or "idle" for a wake-up. Never NULL. */
const char *skein_event_names_interrupt(const struct skein_event_names *names,
                                        const struct skein_record *rec);

/* Whether an ENTRY is a system call; then, whether in i386's numbers, and RAX if the log has it. */
bool skein_entry_is_syscall(const struct skein_record *rec, bool *i386, const uint64_t **number);

/* A slot of an ENTRY, NULL when it is not there or the record has not the shape of an ENTRY. */
const uint64_t *skein_entry_slot(const struct skein_record *rec, uint32_t slot);

/* "syscall", "exception", …; "hard", "wake", …; "tsc", …; "rax", "fs.base", …. NULL: unknown. */
const char *skein_entry_type_name(uint32_t type);
const char *skein_intr_type_name(uint32_t type);
const char *skein_value_source_name(uint32_t source);
const char *skein_slot_name(uint32_t slot);

#endif
