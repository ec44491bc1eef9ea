/*
 * String instructions (rep movs, rep stos) of every element size, direction, address size and
 * overlap, across pages, for more elements than QEMU's loop does at once, and into a page where
 * they fault: memory and registers must be what element after element gives. Then copies between
 * user memory and a file, which the kernel makes with such instructions. The argument is the number
 * of rounds.
 */
#include <asm/prctl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "lib.h"

enum {
    PAGE = 4096,
    REGION = 256 * PAGE,
    SHORT_MAX = 3 * PAGE,  /* bytes, most of the time */
    LONG_MIN = 65536 - 10, /* elements, sometimes */
    LONG_RANGE = 70000,
    AROUND = 64, /* bytes before and after what is written that are compared, too */
    FILE_BYTES = 8 * PAGE,
};

struct string_op {
    bool copies; /* or stores */
    bool down;
    bool narrow; /* 32-bit addresses */
    bool by_gs;  /* the source is in GS */
    unsigned int shift;
    long from, to; /* where in the region its first element is */
    unsigned long count;
};

struct registers {
    unsigned long di, si, cx, ax;
};

static unsigned char *memory, *model;
static uint64_t state = 1;
static sigjmp_buf after_fault;
static struct registers at_fault;

static unsigned long below(unsigned long limit) {
    return (unsigned long)(next_random(&state) % limit);
}

static void on_fault(int signal, siginfo_t *info, void *context) {
    const greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)signal;
    (void)info;
    at_fault.di = (unsigned long)g[REG_RDI];
    at_fault.si = (unsigned long)g[REG_RSI];
    at_fault.cx = (unsigned long)g[REG_RCX];
    siglongjmp(after_fault, 1);
}

#define EXECUTE(instruction)                                                                       \
    __asm__ volatile("test %b4, %b4\n\tjz 1f\n\tstd\n1:\t" instruction "\n\tcld"                   \
                     : "+D"(r->di), "+S"(r->si), "+c"(r->cx)                                       \
                     : "a"(r->ax), "r"((char)down)                                                 \
                     : "memory", "cc")

#define EXECUTE_SIZED(shift, b, w, l, q)                                                           \
    switch (shift) {                                                                               \
    case 0:                                                                                        \
        EXECUTE(b);                                                                                \
        break;                                                                                     \
    case 1:                                                                                        \
        EXECUTE(w);                                                                                \
        break;                                                                                     \
    case 2:                                                                                        \
        EXECUTE(l);                                                                                \
        break;                                                                                     \
    default:                                                                                       \
        EXECUTE(q);                                                                                \
        break;                                                                                     \
    }

static void execute(const struct string_op *op, struct registers *r) {
    bool down = op->down;
    if (op->copies && op->by_gs) {
        EXECUTE_SIZED(op->shift, "rep movsb %%gs:(%%rsi), (%%rdi)",
                      "rep movsw %%gs:(%%rsi), (%%rdi)", "rep movsl %%gs:(%%rsi), (%%rdi)",
                      "rep movsq %%gs:(%%rsi), (%%rdi)")
    } else if (op->copies && op->narrow) {
        EXECUTE_SIZED(op->shift, "addr32 rep movsb", "addr32 rep movsw", "addr32 rep movsl",
                      "addr32 rep movsq")
    } else if (op->copies) {
        EXECUTE_SIZED(op->shift, "rep movsb", "rep movsw", "rep movsl", "rep movsq")
    } else if (op->narrow) {
        EXECUTE_SIZED(op->shift, "addr32 rep stosb", "addr32 rep stosw", "addr32 rep stosl",
                      "addr32 rep stosq")
    } else {
        EXECUTE_SIZED(op->shift, "rep stosb", "rep stosw", "rep stosl", "rep stosq")
    }
}

static bool inside(long at, long size) {
    return at >= 0 && at + size <= REGION;
}

/* False: it faults. */
static bool ends(const struct string_op *op, struct registers *r) {
    if (sigsetjmp(after_fault, 1)) {
        return false;
    }
    execute(op, r);
    return true;
}

/* Element after element; how many there are before the one that faults. */
static unsigned long expect(const struct string_op *op, unsigned long ax) {
    long size = 1L << op->shift, step = op->down ? -size : size;
    unsigned long done = 0;
    for (long from = op->from, to = op->to; done < op->count; done++, from += step, to += step) {
        if (!inside(to, size) || (op->copies && !inside(from, size))) {
            break;
        }
        if (op->copies) {
            memmove(model + to, model + from, (size_t)size);
        } else {
            memcpy(model + to, &ax, (size_t)size);
        }
    }
    return done;
}

static void compare(const struct string_op *op, unsigned long done, long round) {
    long bytes = (long)(done << op->shift), size = 1L << op->shift;
    long begin = op->down ? op->to + size - bytes : op->to;
    long end = begin + bytes + AROUND;
    begin = begin < AROUND ? 0 : begin - AROUND;
    end = end > REGION ? REGION : end;
    CHECK(memcmp(memory + begin, model + begin, (size_t)(end - begin)) == 0,
          "round %ld: memory: %s, %lu of %lu elements of %ld bytes, from %ld to %ld%s", round,
          op->copies ? "movs" : "stos", done, op->count, size, op->from, op->to,
          op->down ? ", down" : "");
}

static void run(const struct string_op *op, long round) {
    unsigned long base = (unsigned long)memory, ax = (unsigned long)next_random(&state);
    unsigned long source = op->by_gs ? 0 : base;
    struct registers r = {base + (unsigned long)op->to, source + (unsigned long)op->from, op->count,
                          ax};
    struct registers begin = r;
    unsigned long done = expect(op, ax);
    unsigned long moved = (op->down ? -done : done) << op->shift;
    if (ends(op, &r)) {
        CHECK(done == op->count, "round %ld: no fault after %lu elements", round, done);
    } else {
        r = at_fault;
        CHECK(done < op->count, "round %ld: a fault", round);
    }
    CHECK(r.cx == op->count - done, "round %ld: RCX is %lu", round, r.cx);
    CHECK(r.di == begin.di + moved, "round %ld: RDI", round);
    CHECK(r.si == (op->copies ? begin.si + moved : begin.si), "round %ld: RSI", round);
    compare(op, done, round);
}

/* Anywhere, or where pages meet, or at the region's ends, behind which nothing is mapped. */
static long some_place(void) {
    long page = (long)below(REGION / PAGE + 1) * PAGE;
    switch (below(4)) {
    case 0:
        return (long)below(REGION);
    case 1:
        return (long)below(2) * (REGION - PAGE) + (long)below(PAGE);
    default:
        page += (long)below(64) - 32;
        break;
    }
    return page < 0 ? 0 : page >= REGION ? REGION - 1 : page;
}

static struct string_op some_op(void) {
    struct string_op op = {
        .copies = below(2),
        .down = below(4) == 0,
        .narrow = below(8) == 0,
        .shift = (unsigned int)below(4),
        .to = some_place(),
    };
    op.by_gs = !op.narrow && below(8) == 0;
    /* Often close to each other: elements that were written are read again. */
    op.from = below(2) ? some_place() : op.to + (long)below(200) - 100;
    op.from = op.from < 0 ? 0 : op.from >= REGION ? REGION - 1 : op.from;
    op.count = below(4) ? below(SHORT_MAX >> op.shift) : below(20);
    if (below(100) == 0) {
        op.count = LONG_MIN + below(LONG_RANGE);
    }
    return op;
}

/* What the kernel copies between a file and user memory that is anyhow aligned. */
static void copy_by_file(int file, long round) {
    size_t bytes = below(4) ? below(FILE_BYTES) : below(100);
    long from = (long)below(REGION - FILE_BYTES), to = (long)below(REGION - FILE_BYTES);
    off_t at = (off_t)below(PAGE);
    struct string_op whole = {.copies = true, .from = from, .to = to, .count = bytes};
    memory[from] = model[from] = (unsigned char)round; /* user-dirty, even if all was read */
    CHECK(pwrite(file, memory + from, bytes, at) == (ssize_t)bytes, "pwrite");
    memmove(model + to, model + from, bytes);
    CHECK(pread(file, memory + to, bytes, at) == (ssize_t)bytes, "pread");
    compare(&whole, bytes, round);
}

static unsigned char *region(void) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT;
    unsigned char *all = mmap(NULL, REGION + 2 * PAGE, PROT_NONE, flags, -1, 0);
    CHECK(all != MAP_FAILED, "a region below 4 GiB");
    CHECK(mprotect(all + PAGE, REGION, PROT_READ | PROT_WRITE) == 0, "mprotect");
    return all + PAGE;
}

int workload_strings(int argc, char **argv) {
    long rounds = arg_number(argc, argv, 1, 1000);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    int file = memfd_create("strings", 0);
    CHECK(file >= 0, "memfd_create");
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0, "sigaction");
    memory = region();
    model = region();
    fill(memory, REGION, 1);
    memcpy(model, memory, REGION);
    CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, memory) == 0, "arch_prctl");
    for (long round = 0; round < rounds; round++) {
        struct string_op op = some_op();
        run(&op, round);
        copy_by_file(file, round);
    }
    CHECK(memcmp(memory, model, REGION) == 0, "memory at the end");
    ok("strings: %ld rounds", rounds);
    return 0;
}
