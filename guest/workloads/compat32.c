/*
 * A 32-bit program without a C library: system calls by int $0x80 and through the vDSO's entry,
 * which is SYSENTER or SYSCALL, whichever this CPU has. Ends with 0 when both agree.
 */
enum { CALL_EXIT = 1, CALL_GETPID = 20, CALL_BRK = 45, AT_NULL = 0, AT_SYSINFO = 32, ROUNDS = 200 };

static long int80(long number, long argument) {
    long result = number;
    __asm__ volatile("int $0x80" : "+a"(result) : "b"(argument) : "memory");
    return result;
}

static long vdso_call(unsigned long entry, long number, long argument) {
    long result = number;
    __asm__ volatile("call *%2" : "+a"(result) : "b"(argument), "S"(entry) : "memory");
    return result;
}

__attribute__((used, noreturn)) void run(const unsigned long *stack) {
    const unsigned long *word = stack + 1 + stack[0] + 1; /* argc, argv, NULL */
    unsigned long entry = 0;
    long bad = 0;
    while (*word != 0) {
        word++; /* the environment */
    }
    for (word++; word[0] != AT_NULL; word += 2) {
        if (word[0] == AT_SYSINFO) {
            entry = word[1];
        }
    }
    for (int i = 0; i < ROUNDS; i++) {
        long pid = int80(CALL_GETPID, 0);
        bad |= pid <= 0;
        bad |= int80(CALL_BRK, 0) <= 0;
        bad |= entry != 0 && vdso_call(entry, CALL_GETPID, 0) != pid;
        bad |= int80(9999, 0) != -38;
    }
    for (;;) {
        int80(CALL_EXIT, entry == 0 ? 2 : bad);
    }
}

__asm__(".globl _start\n"
        "_start:\n\t"
        "mov %esp, %eax\n\t"
        "and $-16, %esp\n\t"
        "sub $12, %esp\n\t"
        "push %eax\n\t"
        "call run\n");
