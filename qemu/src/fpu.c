/*
 * FPU state: user mode's is logged when the kernel first touches the FPU after an entry, before it
 * can see a register (the translator plants the call). The image is words that changed since the
 * last image of this vCPU.
 */
#include "accel/tcg/skein/state.h"

#include "exec/helper-proto.h"
#include "tcg/helper-tcg.h"

enum {
    WORD_CONTROL = 0, /* fpuc | fpus << 16 | top << 32 */
    WORD_TAGS = 1,
    WORD_MXCSR = 2,
    WORD_FPIP = 3,
    WORD_FPDP = 4,
    WORD_FPSEG = 5, /* cs | ds << 16 | opcode << 32 */
    WORD_ST = 6,    /* 8 × 2 */
    WORD_YMM = 22,  /* 16 × 4 */
};

static void capture(CPUX86State *env, uint64_t w[SKEIN_FPU_WORDS])
{
    update_mxcsr_from_sse_status(env);
    w[WORD_CONTROL] = env->fpuc | (uint64_t)env->fpus << 16 | (uint64_t)env->fpstt << 32;
    w[WORD_TAGS] = ldq_le_p(env->fptags);
    w[WORD_MXCSR] = env->mxcsr;
    w[WORD_FPIP] = env->fpip;
    w[WORD_FPDP] = env->fpdp;
    w[WORD_FPSEG] = env->fpcs | (uint64_t)env->fpds << 16 | (uint64_t)env->fpop << 32;
    for (int i = 0; i < 8; i++) {
        w[WORD_ST + 2 * i] = env->fpregs[i].d.low;
        w[WORD_ST + 2 * i + 1] = env->fpregs[i].d.high;
    }
    for (int i = 0; i < CPU_NB_REGS; i++) {
        memcpy(&w[WORD_YMM + 4 * i], &env->xmm_regs[i], 32);
    }
}

static void apply(CPUX86State *env, const uint64_t w[SKEIN_FPU_WORDS])
{
    cpu_set_fpuc(env, w[WORD_CONTROL]);
    env->fpus = w[WORD_CONTROL] >> 16;
    env->fpstt = w[WORD_CONTROL] >> 32;
    stq_le_p(env->fptags, w[WORD_TAGS]);
    cpu_set_mxcsr(env, w[WORD_MXCSR]);
    env->fpip = w[WORD_FPIP];
    env->fpdp = w[WORD_FPDP];
    env->fpcs = w[WORD_FPSEG];
    env->fpds = w[WORD_FPSEG] >> 16;
    env->fpop = w[WORD_FPSEG] >> 32;
    for (int i = 0; i < 8; i++) {
        env->fpregs[i].d.low = w[WORD_ST + 2 * i];
        env->fpregs[i].d.high = w[WORD_ST + 2 * i + 1];
    }
    for (int i = 0; i < CPU_NB_REGS; i++) {
        memcpy(&env->xmm_regs[i], &w[WORD_YMM + 4 * i], 32);
    }
}

static void record(SkeinCPU *c)
{
    uint64_t now[SKEIN_FPU_WORDS], packed[2 + SKEIN_FPU_WORDS] = {0};
    unsigned n = 2;

    capture(skein_env(c), now);
    for (unsigned i = 0; i < SKEIN_FPU_WORDS; i++) {
        if (now[i] != c->fpu[i]) {
            packed[i / 64] |= 1ull << i % 64;
            packed[n++] = now[i];
            c->fpu[i] = now[i];
        }
    }
    skein_log(c, SKEIN_FPU, 0, n - 2, packed, n * sizeof(packed[0]));
}

void skein_fpu_load(SkeinCPU *c, const struct skein_record *r)
{
    const uint64_t *packed = (const void *)(r + 1);
    const uint64_t *next = packed + 2;

    for (unsigned i = 0; i < SKEIN_FPU_WORDS; i++) {
        if (packed[i / 64] & 1ull << i % 64) {
            c->fpu[i] = *next++;
        }
    }
    apply(skein_env(c), c->fpu);
}

void helper_skein_fpu(CPUX86State *env)
{
    SkeinCPU *c = skein_of(env);

    if (!c || !c->fpu_pending || !c->in_kernel || skein_vm.system_scope) {
        return;
    }
    c->fpu_pending = false;
    if (skein_replaying) {
        skein_fpu_load(c, skein_replay_next(c, SKEIN_FPU));
    } else {
        record(c);
    }
}
