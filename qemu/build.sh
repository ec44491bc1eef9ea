#!/bin/bash
# Builds QEMU with our patches ("patched") or without ("stock") in Skein's cache and prints the
# program's path. ./dev calls it after it has installed what is needed.
#   qemu/build.sh patched|stock [if-built]
# With if-built, prints nothing and builds nothing when it is not there yet.
# SKEIN_QEMU_SRC names a source tree of QEMU 10.0 to use (it is copied) instead of Debian's.
set -euo pipefail
shopt -s inherit_errexit

root=$(dirname "$(dirname "$(realpath "$0")")")
# shellcheck source=tools/dev/common.sh
. "$root/tools/dev/common.sh"
# shellcheck source=tools/dev/packages.sh
. "$root/tools/dev/packages.sh"
# shellcheck source=tools/dev/fetch.sh
. "$root/tools/dev/fetch.sh"

flavour=${1:-}
case $flavour in
    patched | stock) ;;
    *) die "usage: qemu/build.sh patched|stock [if-built]" ;;
esac

# Where our files go in QEMU's tree; the patches add the line that builds this folder.
hook=accel/tcg/skein
configure_options=(
    --python=/usr/bin/python3 --target-list=x86_64-softmmu --disable-docs --disable-tools
    --without-default-features --enable-system --enable-tcg --enable-kvm --enable-fdt=system
    --enable-slirp --enable-pixman --disable-werror --disable-download --disable-install-blobs
    --disable-debug-info
)

# The parts of pipeline/ that QEMU links; the segments' side of it stays out.
pipeline_files=()
for name in error.h error.c event.h event.c shard.h shard.c shard_mark.h shard_mark.c shard_layout.h atomics.h session.h finding.h trace_record.h test_point.h; do
    pipeline_files+=("$root/pipeline/$name")
done
# The parts of replay/ that QEMU links: reading the guest kernel's symbols.
replay_files=()
for name in btf.h btf.c frames.h frames.c guest_memory.h guest_memory.c kallsyms.h kallsyms.c kernel.h kernel.c kernel_scan.h kernel_scan.c modules.h modules.c orc.h orc.c symbol_elf.h symbol_elf.c symbol_elf_private.h symbol_elf_layout.c symbol_table.h symbol_table.c vmlinux.h vmlinux.c; do
    replay_files+=("$root/replay/$name")
done

patches=()
if [ "$flavour" = patched ]; then
    [ -r "$root/qemu/patches/series" ] || die "qemu/patches/series is missing"
    while read -r patch; do
        patches+=("$root/qemu/patches/$patch")
    done < <(sed 's/#.*//' "$root/qemu/patches/series" | grep -o '[^[:space:]]\+')
fi

# What the source is, for the keys: Debian's version, or the state of a tree of the user's.
find_source() {
    if [ -n "${SKEIN_QEMU_SRC:-}" ]; then
        [ -r "$SKEIN_QEMU_SRC/VERSION" ] || die "SKEIN_QEMU_SRC=$SKEIN_QEMU_SRC is not QEMU's source"
        case $(cat "$SKEIN_QEMU_SRC/VERSION") in
            10.0.*) ;;
            *) die "SKEIN_QEMU_SRC=$SKEIN_QEMU_SRC is QEMU $(cat "$SKEIN_QEMU_SRC/VERSION"); this needs 10.0.x" ;;
        esac
        source_key=$(cd "$SKEIN_QEMU_SRC" &&
            find . -path ./build -prune -o -type f -printf '%p %s %T@\n' | LC_ALL=C sort |
            key_of "$(realpath .)")
    else
        cached qemu-source debian13 download_qemu_source
        source_dir=$made
        source_key=$(basename "$source_dir"/qemu_*.dsc)
    fi
}

unpack() {
    if [ -n "${SKEIN_QEMU_SRC:-}" ]; then
        mkdir "$1"
        tar -C "$SKEIN_QEMU_SRC" --exclude=./build --exclude=./.git -cf - . | tar -C "$1" -xf -
    else
        dpkg-source --no-check -x "$source_dir"/qemu_*.dsc "$1"
    fi
}

# Offsets are fine, since patches must apply to the neighbours of a revision; fuzz is not.
apply_patches() {
    local patch
    for patch in "${patches[@]}"; do
        echo "applying ${patch##*/}"
        patch -d "$1" -p1 --fuzz=0 --no-backup-if-mismatch <"$patch" || return 1
    done
}

make_tree() {
    need_space 3072
    run_logged "the unpacking of QEMU's source" unpack "$1/src"
    run_logged "patching QEMU" apply_patches "$1/src"
}

# Copies only what differs, and removes what is gone: ninja then builds no more than it must.
copy_ours() {
    local from=$1/.ours.$$ to=$1/$hook
    rm -rf "$1"/.ours.*
    mkdir -p "$from/pipeline" "$from/replay" "$to"
    cp "$root"/qemu/src/* "$from/"
    cp "${pipeline_files[@]}" "$from/pipeline/"
    cp "${replay_files[@]}" "$from/replay/"
    (cd "$from" && find . -type f) | while read -r name; do
        mkdir -p "$(dirname "$to/$name")"
        cmp -s "$from/$name" "$to/$name" || cp "$from/$name" "$to/$name"
    done
    (cd "$to" && find . -type f) | while read -r name; do
        [ -e "$from/$name" ] || rm "$to/$name"
    done
    rm -rf "$from"
}

compile() {
    export PYTHONPATH=$meson/usr/lib/python3/dist-packages
    export CCACHE_DIR=$cache/ccache CCACHE_BASEDIR=$1 CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=2G
    mkdir -p "$1/build"
    cd "$1/build" || return 1
    if [ ! -e build.ninja ]; then
        ../configure --cc='ccache gcc' "${configure_options[@]}" || return 1
    fi
    nice ninja qemu-system-x86_64
}

make_binary() {
    local tree
    cached meson debian13 download_meson
    meson=$made
    cached "qemu-tree-$flavour" "$tree_key" make_tree
    tree=$made/src
    say "building QEMU ($flavour): about 5 minutes on 2 cores the first time"
    [ "$flavour" = stock ] || copy_ours "$tree"
    run_logged "building QEMU ($flavour)" compile "$tree"
    cp "$tree/build/qemu-system-x86_64" "$1/"
}

find_source
gcc_version=$(gcc -dumpfullversion)
tree_key=$(contents_of "${patches[@]}" |
    key_of "$source_key" "$(cat /etc/debian_version)" "$gcc_version" "${configure_options[@]}")
ours=()
[ "$flavour" = stock ] || ours=("$root"/qemu/src/* "${pipeline_files[@]}" "${replay_files[@]}")
binary_key=$(contents_of "${ours[@]}" | key_of "$tree_key")
if [ "${2:-}" = if-built ] && [ ! -e "$cache/qemu-$flavour-$binary_key" ]; then
    exit 0
fi
cached "qemu-$flavour" "$binary_key" make_binary
echo "$made/qemu-system-x86_64"
