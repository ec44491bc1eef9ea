#!/bin/bash
# Builds a guest's initramfs: busybox, our init and our workloads, and optionally the modules for
# virtio disks from an unpacked Debian kernel package. The same input gives the same bytes.
#   guest/image.sh OUT.cpio.gz [KERNEL-PACKAGE-ROOT]
set -euo pipefail

usage='usage: guest/image.sh OUT.cpio.gz [KERNEL-PACKAGE-ROOT]'
out=$(realpath -m "${1:?$usage}")
kernel_root=${2:-}
guest=$(dirname "$(realpath "$0")")
busybox=${SKEIN_BUSYBOX:-/bin/busybox}

# What a virtio disk needs beyond what Debian's cloud kernel has built in; dependencies first.
modules=(virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

compile() {
    gcc -ffile-prefix-map="$guest/"= -std=c11 -Wall -Wextra -Wshadow -Wconversion -Werror \
        -O2 -static -no-pie "$@"
}

copy_modules() {
    local module path
    mkdir "$root/modules"
    for module in "${modules[@]}"; do
        path=$(find "$kernel_root/lib/modules" -name "$module.ko" -print -quit)
        [ -n "$path" ] || { echo "guest/image.sh: no module $module in $kernel_root" >&2; exit 1; }
        cp "$path" "$root/modules/"
        echo "$module.ko" >>"$root/modules/order"
    done
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
