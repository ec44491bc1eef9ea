#!/bin/bash
# Builds the modules with bugs and the program that triggers them, against Debian's kernel headers.
#   guest/bugs/build.sh OUT HEADERS-ROOT INITRAMFS
# HEADERS-ROOT: where the packages linux-headers-*-cloud-amd64, linux-headers-*-common and
# linux-kbuild-* are unpacked together; they need not be installed. OUT becomes a folder: *.ko with
# debug information for gdb, and initramfs.cpio.gz, which is INITRAMFS and what this adds.
set -euo pipefail

usage='usage: guest/bugs/build.sh OUT HEADERS-ROOT INITRAMFS'
out=$(realpath -m "${1:?$usage}")
headers=$(realpath "${2:?$usage}")
initramfs=$(realpath "${3:?$usage}")
here=$(dirname "$(realpath "$0")")
workloads=$here/../workloads

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The headers' Makefile includes that of the common package by its installed place.
make_modules() {
    local tree common
    tree=$(echo "$headers"/usr/src/linux-headers-*-amd64)
    common=$(echo "$headers"/usr/src/linux-headers-*-common)
    mkdir "$work/kernel" "$work/modules"
    cp -a "$tree/." "$work/kernel/"
    ln -sfn "$headers/usr/lib"/linux-kbuild-*/scripts "$work/kernel/scripts"
    ln -sfn "$headers/usr/lib"/linux-kbuild-*/tools "$work/kernel/tools"
    echo "include $common/Makefile" >"$work/kernel/Makefile"
    cp "$here"/modules/* "$here/bug.h" "$work/modules/"
    # gdb finds the source from the root of the checkout.
    make -s -C "$work/kernel" M="$work/modules" modules \
        KCFLAGS="-Wall -Werror -g -fdebug-prefix-map=$work/modules=guest/bugs/modules"
}

make_addition() {
    local root=$work/root module
    mkdir -p "$root/bugs" "$root/workloads"
    cp "$here/bug.sh" "$root/workloads/"
    for module in "$work"/modules/*.ko; do
        strip -g -o "$root/bugs/${module##*/}" "$module"
    done
    gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wconversion -Werror -O2 -static -no-pie -s \
        -Wl,--build-id=none -o "$root/bugs/trigger" \
        "$here/trigger.c" "$workloads/lib.c"
    find "$root" -exec touch -h -d @0 {} +
    (cd "$root" && find . -mindepth 1 -print0 | LC_ALL=C sort -z |
        cpio --null --quiet --create --format=newc --reproducible --owner=0:0) |
        gzip -9 -n >"$work/addition"
}

make_modules
make_addition
mkdir -p "$out"
cp "$work"/modules/*.ko "$out/"
# The kernel unpacks archives that follow each other.
cat "$initramfs" "$work/addition" >"$out/initramfs.cpio.gz"
