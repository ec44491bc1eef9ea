#!/bin/bash
# Builds a guest's disk of programs: RocksDB's db_bench, redis, nginx, wrk, stress-ng, fio and a small C
# compiler, with what they depend on, from Debian's packages. Unpacked, never installed; no root needed.
# The same packages give the same bytes.
#   guest/apps.sh OUT.ext4
# Depends on apt, dpkg-deb and e2fsprogs. The guest's init mounts it: skein.root=/dev/vda.
set -euo pipefail

out=$(realpath -m "${1:?usage: guest/apps.sh OUT.ext4}")
packages=(rocksdb-tools redis-server redis-tools nginx-light wrk stress-ng fio tcc libc6-dev
    busybox-static)
# What no program reads.
ballast=(doc man locale info lintian bash-completion zoneinfo perl mime)
# Above the size of the files; the file system's own, and what is written is on a tmpfs.
spare_percent=15

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# As for a machine on which nothing is installed, so that every dependency comes.
download() {
    mkdir -p "$work/debs/partial"
    apt-get -q -y -o Dir::State::status=/dev/null -o Dir::Cache::archives="$work/debs" \
        -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" \
        --no-install-recommends --download-only install "${packages[@]}"
}

unpack() {
    local deb
    mkdir "$tree"
    for deb in "$work"/debs/*.deb; do
        dpkg-deb -x "$deb" "$tree"
    done
    (cd "$tree/usr/share" && rm -rf "${ballast[@]}")
}

# What the packages' scripts would have made, and where init mounts something.
complete() {
    mkdir -p "$tree"/{dev,proc,sys,tmp,run,mnt,root,var/log/nginx,var/lib/nginx}
    printf '%s\n' root:x:0:0::/root:/bin/sh nobody:x:65534:65534::/:/bin/sh \
        www-data:x:33:33::/:/bin/sh redis:x:100:100::/:/bin/sh >"$tree/etc/passwd"
    printf '%s\n' root:x:0: nogroup:x:65534: www-data:x:33: redis:x:100: >"$tree/etc/group"
    printf '127.0.0.1 localhost\n' >"$tree/etc/hosts"
    [ -e "$tree/bin/sh" ] || ln -s busybox "$tree/bin/sh"
    ldconfig -r "$tree"
    rm -f "$tree/var/cache/ldconfig/aux-cache"
    find "$tree" -exec touch -h -d @0 {} +
}

make_image() {
    local kib files
    kib=$(du -sk "$tree" | cut -f1)
    files=$(find "$tree" | wc -l)
    E2FSPROGS_FAKE_TIME=1 mke2fs -q -t ext4 -O ^has_journal -m 0 -b 4096 -N $((files + 64)) \
        -U 5ce1a000-0000-4000-8000-000000000001 \
        -E hash_seed=5ce1a000-0000-4000-8000-000000000002,root_owner=0:0,lazy_itable_init=0 \
        -d "$tree" "$1" $((kib * (100 + spare_percent) / 100))k
    forget_times "$1"
}

# mke2fs copies when the files were unpacked and last read: inodes 11 (lost+found) and up.
forget_times() {
    local used
    used=$(dumpe2fs -h "$1" 2>/dev/null | awk '/^Inode count/ { n = $3 } /^Free inodes/ { print n - $3 }')
    seq 11 "$used" | sed 's/.*/set_inode_field <&> atime @1\nset_inode_field <&> ctime @1/' >"$work/times"
    E2FSPROGS_FAKE_TIME=1 debugfs -w -f "$work/times" "$1" >/dev/null
}

export PATH=$PATH:/sbin:/usr/sbin
tree=$work/tree
download
unpack
complete
make_image "$work/image"
mkdir -p "$(dirname "$out")"
mv "$work/image" "$out"
