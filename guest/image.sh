#!/bin/bash
# Builds a guest's initramfs: busybox, our init and our workloads, and optionally modules, with what
# they depend on, from an unpacked Debian kernel package. The same input gives the same bytes.
#   guest/image.sh OUT.cpio.gz [KERNEL-PACKAGE-ROOT MODULE…]
set -euo pipefail

usage='usage: guest/image.sh OUT.cpio.gz [KERNEL-PACKAGE-ROOT MODULE…]'
out=$(realpath -m "${1:?$usage}")
kernel_root=${2:-}
modules=("${@:3}")
guest=$(dirname "$(realpath "$0")")
busybox=${SKEIN_BUSYBOX:-/bin/busybox}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

compile() {
    gcc -ffile-prefix-map="$guest/"= -std=c11 -Wall -Wextra -Wshadow -Wconversion -Werror \
        -O2 -static -no-pie "$@"
}

# The files of the modules, dependencies first; nothing for those that are built in. The package's
# folder is not written to: what depmod finds out stands in a copy of its names.
module_files() {
    local tree=$work/tree release module
    release=$(basename "$kernel_root"/lib/modules/*)
    mkdir -p "$tree/lib/modules"
    cp -as "$kernel_root/lib/modules/$release" "$tree/lib/modules/"
    depmod -b "$tree" "$release"
    for module in "${modules[@]}"; do
        modprobe -d "$tree" -S "$release" --show-depends "$module"
    done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++'
}

copy_modules() {
    local file
    mkdir "$root/modules"
    module_files >"$work/files"
    while read -r file; do
        cp -L "$file" "$root/modules/"
        echo "${file##*/}" >>"$root/modules/order"
    done <"$work/files"
}

mkdir -p "$root"/{bin,dev,proc,sys,tmp,workloads}
cp "$busybox" "$root/bin/busybox"
while read -r applet; do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done < <("$busybox" --list)
cp "$guest/init" "$root/init"
chmod 755 "$root/init" "$root/bin/busybox"
cp "$guest"/workloads/*.sh "$root/workloads/"

sources=()
for source in "$guest"/workloads/*.c; do
    [ "${source##*/}" = compat32.c ] || sources+=("$source")
done
compile -D_GNU_SOURCE -pthread -s -Wl,--build-id=none -o "$root/workloads/workload" "${sources[@]}"
# 32-bit code generation comes with the compiler; only the libraries would need another package.
compile -m32 -ffreestanding -fno-pic -nostdlib -s -Wl,--build-id=none \
    -o "$root/workloads/compat32" "$guest/workloads/compat32.c"
[ -z "$kernel_root" ] || copy_modules

find "$root" -exec touch -h -d @0 {} +
mkdir -p "$(dirname "$out")"
(cd "$root" && find . -print0 | LC_ALL=C sort -z |
    cpio --null --quiet --create --format=newc --reproducible --owner=0:0) |
    gzip -9 -n >"$work/image"
mv "$work/image" "$out"
