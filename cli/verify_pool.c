#include "cli/verify_pool.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/progress.h"
#include "cli/signals.h"
#include "pipeline/atomics.h"

#define TICK_NS 100000000l

struct worker {
    struct pool *pool;
    uint32_t instance;
    pthread_t thread;
    struct skein_replay_result result;
    bool busy;            /* under the pool's lock */
    uint64_t events_done; /* of the case at hand; relaxed */
};

struct pool {
    struct skein_verify *v;
    const struct skein_verify_pool_opts *opts;
    int end_fd;
    uint32_t worker_count;
    struct worker *workers;
    pthread_mutex_t lock; /* of what follows, and of the cases */
    pthread_cond_t news;  /* a case is done, or a worker has ended */
    uint32_t alive;
    size_t recording, next_case; /* the next one to look at, by the order */
    uint64_t events_done;        /* of the cases that are done */
    int broken;                  /* the store has failed */
    struct skein_error error;
};

static bool shall_end(const struct pool *p) {
    struct pollfd end = {.fd = p->end_fd, .events = POLLIN};
    return poll(&end, 1, 0) > 0;
}

/* The next case that is not done; NULL: there are no more. Under the lock. */
static struct skein_verify_case *next_case(struct pool *p, struct skein_verify_recording **rec) {
    for (; p->recording < p->v->recording_count; p->recording++, p->next_case = 0) {
        *rec = &p->v->recordings[p->recording];
        while (p->next_case < (*rec)->case_count) {
            struct skein_verify_case *c = (*rec)->order[p->next_case++];
            if (!c->done)
                return c;
        }
    }
    return NULL;
}

static void take_over(struct skein_verify_case *c, const struct skein_replay_result *r) {
    c->outcome = r->outcome;
    c->error = r->error;
    c->has_divergence = r->has_divergence;
    c->divergence = r->divergence;
    c->events_done = r->events_done;
    c->slices = r->slices;
    c->console_bytes = r->console_bytes;
    c->prepare_ns = r->prepare_ns;
    c->duration_ns = r->duration_ns;
    c->total_ns = r->total_ns;
    c->done = true;
}

static void replay(struct worker *w, const struct skein_verify_recording *rec,
                   const struct skein_verify_case *c) {
    struct skein_replay_opts run = w->pool->opts->run;
    run.epoch = rec->epochs > 1 ? &c->epoch : NULL;
    run.instance = w->instance;
    run.end_fd = w->pool->end_fd;
    run.events_done = &w->events_done;
    skein_replay_run(rec->dir, &run, &w->result);
}

/* Under the lock: results are kept in the order in which they come. */
static void finish(struct worker *w, struct skein_verify_recording *rec,
                   struct skein_verify_case *c) {
    struct pool *p = w->pool;
    take_over(c, &w->result);
    if (c->epoch.events == 0 && rec->case_count == 1)
        c->epoch.events = w->result.events_total;
    rec->cases_done++;
    p->events_done += c->events_done;
    w->busy = false;
    skein_store_relaxed_64(&w->events_done, 0);
    if (p->opts->store != NULL && p->broken == 0)
        p->broken = skein_verify_store_add(p->opts->store, rec, c, &p->error);
}

static void *work(void *opaque) {
    struct worker *w = opaque;
    struct pool *p = w->pool;
    struct skein_verify_recording *rec;
    struct skein_verify_case *c;
    pthread_mutex_lock(&p->lock);
    while (!shall_end(p) && p->broken == 0 && (c = next_case(p, &rec)) != NULL) {
        w->busy = true;
        pthread_mutex_unlock(&p->lock);
        replay(w, rec, c);
        pthread_mutex_lock(&p->lock);
        finish(w, rec, c);
        pthread_cond_signal(&p->news);
    }
    p->alive--;
    pthread_cond_signal(&p->news);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Under the lock. */
static void draw(struct pool *p, struct skein_progress *progress) {
    struct skein_progress_state s = {.events = p->events_done};
    uint64_t done = 0, all = 0, running = 0;
    for (size_t i = 0; i < p->v->recording_count; i++) {
        const struct skein_verify_recording *rec = &p->v->recordings[i];
        done += rec->cases_done;
        all += rec->case_count;
        for (size_t k = 0; k < rec->case_count; k++)
            s.events_all += rec->cases[k].kept ? 0 : rec->cases[k].epoch.events;
    }
    for (uint32_t i = 0; i < p->worker_count; i++) {
        running += p->workers[i].busy;
        s.events += skein_load_relaxed_64(&p->workers[i].events_done);
    }
    skein_progress_draw_epochs(progress, done, all, running, &s);
}

static void wait_for_news(struct pool *p) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TICK_NS;
    until.tv_sec += until.tv_nsec / 1000000000l;
    until.tv_nsec %= 1000000000l;
    pthread_cond_timedwait(&p->news, &p->lock, &until);
}

/* Until all workers have ended. */
static void watch(struct pool *p) {
    struct skein_progress progress;
    size_t told = 0;
    skein_progress_init(&progress, p->opts->quiet);
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (told < p->v->recording_count &&
               p->v->recordings[told].cases_done == p->v->recordings[told].case_count) {
            const struct skein_verify_recording *rec = &p->v->recordings[told++];
            skein_progress_clear(&progress);
            pthread_mutex_unlock(&p->lock); /* nobody changes it any more */
            p->opts->recording_done(rec, p->opts->opaque);
            pthread_mutex_lock(&p->lock);
        }
        if (p->alive == 0)
            break;
        draw(p, &progress);
        wait_for_news(p);
    }
    pthread_mutex_unlock(&p->lock);
    skein_progress_clear(&progress);
}

static void start_workers(struct pool *p) {
    pthread_mutex_lock(&p->lock);
    while (p->worker_count < p->opts->workers) {
        struct worker *w = &p->workers[p->worker_count];
        *w = (struct worker){.pool = p, .instance = p->worker_count + 1};
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            break; /* fewer do it as well */
        p->worker_count++;
        p->alive++;
    }
    pthread_mutex_unlock(&p->lock);
}

static int run(struct pool *p, struct skein_error *err) {
    start_workers(p);
    if (p->worker_count == 0)
        return skein_error_set(err, -EAGAIN, "cannot start a thread");
    watch(p);
    for (uint32_t i = 0; i < p->worker_count; i++)
        pthread_join(p->workers[i].thread, NULL);
    return p->broken != 0 ? skein_error_set(err, p->broken, "%s", p->error.text) : 0;
}

int skein_verify_pool_run(struct skein_verify *v, const struct skein_verify_pool_opts *opts,
                          struct skein_error *err) {
    struct pool p = {.v = v,
                     .opts = opts,
                     .end_fd = -1,
                     .workers = calloc(opts->workers, sizeof(struct worker)),
                     .lock = PTHREAD_MUTEX_INITIALIZER,
                     .news = PTHREAD_COND_INITIALIZER};
    if (p.workers == NULL)
        return skein_error_set(err, -ENOMEM, "out of memory");
    int ret = skein_signals_open_end(&p.end_fd, err);
    if (ret == 0)
        ret = run(&p, err);
    if (p.end_fd >= 0)
        close(p.end_fd);
    pthread_cond_destroy(&p.news);
    pthread_mutex_destroy(&p.lock);
    free(p.workers);
    return ret;
}
