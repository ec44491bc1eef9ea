#include "pipeline/session_map.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/huge_pages.h"
#include "pipeline/shard.h"
#include "pipeline/shard_layout.h"
#include "tests/pipeline/fixture.h"

static struct skein_session_params make_params(void) {
    struct skein_session_params p = {
        .mode = SKEIN_MODE_RECORD,
        .scope = SKEIN_SCOPE_SYSTEM,
        .vcpu_count = 2,
        .ring_bytes = 64 << 10,
    };

    cr_assert_eq(skein_uuid_make(p.uuid), 0);
    return p;
}

Test(session, two_processes_meet_in_it) {
    const struct skein_session_params p = make_params();
    struct skein_session *mine, *theirs;
    struct skein_shard_writer w;
    struct skein_shard_reader r;
    uint64_t cursor = 0, waits, wait_ns;
    size_t bytes;
    char path[128];
    bool bad;

    skein_session_path(&p, path, sizeof(path));
    cr_assert_eq(skein_session_create(path, &p, &mine, NULL), 0);
    cr_assert_eq(skein_session_open(path, &theirs, NULL), 0);
    cr_assert_eq(skein_session_create(path, &p, &mine, NULL), -EEXIST);
    cr_assert_str_eq(skein_session_name(theirs), path);
    const struct skein_session_header *h = skein_session_header(theirs);
    cr_assert_eq(h->scope, (uint32_t)SKEIN_SCOPE_SYSTEM);
    cr_assert_eq(h->shard_count, 3u);
    cr_assert_eq(h->skein_pid, getpid());
    cr_assert_gt(h->digest_interval, 0u);
    cr_assert_eq(memcmp(h->uuid, p.uuid, 16), 0);
    cr_assert_eq(skein_session_state(mine), SKEIN_STATE_NEW);
    for (uint32_t i = 0; i < 3; i++) {
        void *mem = skein_session_shard(theirs, i, &bytes);
        cr_assert_eq(skein_shard_writer_open(&w, mem, bytes), 0);
        mem = skein_session_shard(mine, i, &bytes);
        cr_assert_eq(skein_shard_reader_open(&r, mem, bytes), 0);
        cr_assert_eq(r.mem->shard_id, i);
        skein_shard_append(&w, SKEIN_MARK, 0, i, &cursor, 8);
        skein_shard_publish(&w);
        w.mem->waits = 2;
        w.mem->wait_ns = 10;
        cursor = r.tail;
        cr_assert_eq(skein_shard_peek(&r, &cursor, &bad)->arg, i);
    }
    skein_session_waits(mine, &waits, &wait_ns);
    cr_assert_eq(waits, 6u);
    cr_assert_eq(wait_ns, 30u);
    cr_assert_eq(skein_session_unlink(mine), 0);
    cr_assert_neq(access(path, F_OK), 0);
    skein_session_close(mine);
    skein_session_close(theirs);
}

Test(session, what_is_none_is_refused) {
    struct skein_session *s;
    struct skein_error err = {""};
    char dir[256], path[300];
    static const uint8_t zeros[8192];

    fixture_dir(dir);
    snprintf(path, sizeof(path), "%s/s", dir);
    cr_assert_eq(skein_session_open(path, &s, &err), -ENOENT);
    fixture_write(path, zeros, 100);
    cr_assert_eq(skein_session_open(path, &s, &err), -EPROTO);
    fixture_write(path, zeros, sizeof(zeros));
    cr_assert_eq(skein_session_open(path, &s, &err), -EPROTO);
    cr_assert_not_null(strstr(err.text, path));
    fixture_remove(dir);
}

Test(session, impossible_params_leave_no_file) {
    struct skein_session_params p = make_params();
    struct skein_session *s;
    char path[128];

    skein_session_path(&p, path, sizeof(path));
    p.ring_bytes = 100000;
    cr_assert_eq(skein_session_create(path, &p, &s, NULL), -EINVAL);
    p.ring_bytes = 0;
    p.vcpu_count = 0;
    cr_assert_eq(skein_session_create(path, &p, &s, NULL), -EINVAL);
    p.vcpu_count = SKEIN_MAX_VCPUS + 1;
    cr_assert_eq(skein_session_create(path, &p, &s, NULL), -EINVAL);
    cr_assert_neq(access(path, F_OK), 0);
}

Test(session, uuids) {
    const uint8_t uuid[16] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0x4d, 0xef,
                              0x80, 1,    2,    3,    4,    5,    6,    7};
    uint8_t a[16], b[16];
    char text[37];

    skein_uuid_format(uuid, text);
    cr_assert_str_eq(text, "12345678-9abc-4def-8001-020304050607");
    cr_assert_eq(skein_uuid_make(a), 0);
    cr_assert_eq(skein_uuid_make(b), 0);
    cr_assert_neq(memcmp(a, b, 16), 0);
    cr_assert_eq(a[6] >> 4, 4);
}

/* Huge or small, as the system has them: the session is the same, and has all its memory. */
Test(session, huge_pages) {
    struct skein_session_params p = make_params();
    struct skein_session *mine, *theirs;
    struct stat st;
    char path[128];

    p.huge_pages = true;
    p.ring_bytes = 4 << 20;
    skein_session_path(&p, path, sizeof(path));
    cr_assert_eq(skein_session_create(path, &p, &mine, NULL), 0);
    cr_assert_eq(skein_session_open(path, &theirs, NULL), 0);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq((size_t)st.st_size, skein_session_bytes(2, p.ring_bytes));
    cr_assert_geq(st.st_blocks * 512, st.st_size);
    if (skein_huge_pages_offered("/dev/shm")) {
        cr_assert_gt(skein_session_huge_bytes(mine), 0u);
    } else {
        cr_assert_eq(skein_session_huge_bytes(mine), 0u);
    }
    skein_session_unlink(mine);
    skein_session_close(theirs);
    skein_session_close(mine);
}
