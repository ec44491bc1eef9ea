# shellcheck shell=bash disable=SC2154 # from common.sh and dev
# Builds everything, and says where it is.

build_workspace() {
    need_space 1024
    # The end of the log says what failed; on a terminal Bazel's own words are better.
    (cd "$root" && bazel build --ui_event_filters=-info //...) || die "the Bazel workspace does not build"
}

make_kernel() {
    download_kernel "$1" linux-image-cloud-amd64 27
}

# The one for any machine: it has drivers that the one for clouds has not.
make_devices_kernel() {
    download_kernel "$1" linux-image-amd64 71
}

make_images() {
    run_logged "the guest's image" "$root/guest/image.sh" "$1/initramfs.cpio.gz"
    run_logged "the guest's image with virtio disks" \
        "$root/guest/image.sh" "$1/initramfs-virtio.cpio.gz" "$cache/kernel-debian12/root" \
        virtio_pci virtio_blk virtio_net
    run_logged "the guest's image with all devices" \
        "$root/guest/image.sh" "$1/initramfs-devices.cpio.gz" "$cache/full-kernel-debian12/root" \
        ext4 ata_piix sd_mod nvme virtio_pci virtio_blk virtio_net e1000 virtio-rng virtio_console \
        psmouse evdev
}

make_bugs() {
    run_logged 'the modules with bugs' "$root/guest/bugs/build.sh" "$1" "$headers" "$initrd"
}

# Modules with bugs, and the guest's image with them.
find_bugs() {
    local key
    cached headers "${kernel##*/vmlinuz-}" download_headers
    headers=$made/root
    key=$(contents_of "$root"/guest/bugs/{build.sh,bug.h,bug.sh,trigger.c} "$root"/guest/bugs/modules/* |
        key_of "$(gcc -dumpfullversion)" "$initrd" "$headers")
    cached bugs "$key" make_bugs
    bugs=$made
}

make_apps() {
    say "making a disk of programs from Debian's packages (85 MB)"
    need_space 2048
    # Stale lists name packages that the mirror has replaced: update and try once more.
    if ! "$root/guest/apps.sh" "$1/apps.ext4" >/dev/null 2>&1; then
        run_online 'the update of the package lists' update_package_lists
        run_online 'the disk of programs' "$root/guest/apps.sh" "$1/apps.ext4"
    fi
}

# What the tests and benchmarks with real programs need, and nothing else does.
export_apps() {
    cached apps "$(contents_of "$root/guest/apps.sh" | key_of)" make_apps
    export SKEIN_APPS=$made/apps.ext4
}

# Sets what export_paths and print_paths tell. Quick when all of it is there.
find_guest() {
    local key
    cached kernel debian12 make_kernel
    kernel=$(echo "$made"/root/boot/vmlinuz-*)
    cached full-kernel debian12 make_devices_kernel
    kernel_devices=$(echo "$made"/root/boot/vmlinuz-*)
    key=$(contents_of "$root"/tools/dev/build.sh "$root"/guest/image.sh "$root"/guest/init "$root"/guest/workloads/* |
        key_of "$(gcc -dumpfullversion)" "$(sha256sum </bin/busybox)" "$kernel" "$kernel_devices")
    cached guest "$key" make_images
    initrd=$made/initramfs.cpio.gz
    initrd_virtio=$made/initramfs-virtio.cpio.gz
    initrd_devices=$made/initramfs-devices.cpio.gz
    find_bugs
}

# SKEIN_QEMU names one that is there already.
find_qemu() {
    qemu=${SKEIN_QEMU:-}
    if [ -z "$qemu" ]; then
        qemu=$("$root/qemu/build.sh" patched)
    fi
    [ -x "$qemu" ] || die "there is no QEMU at $qemu"
}

build_all() {
    build_workspace
    find_guest
    find_qemu
}

# What the tests, the benchmarks and the tool itself go by.
export_paths() {
    export SKEIN=$root/bazel-bin/cli/skein SKEIN_QEMU=$qemu
    export SKEIN_KERNEL=$kernel SKEIN_INITRD=$initrd SKEIN_INITRD_VIRTIO=$initrd_virtio
    export SKEIN_KERNEL_DEVICES=$kernel_devices SKEIN_INITRD_DEVICES=$initrd_devices
    export SKEIN_INITRD_BUGS=$bugs/initramfs.cpio.gz SKEIN_BUGS=$bugs
    export SKEIN_CACHE=$cache
    SKEIN_STOCK_QEMU=${SKEIN_STOCK_QEMU:-$("$root/qemu/build.sh" stock if-built)}
    if [ -n "$SKEIN_STOCK_QEMU" ]; then
        export SKEIN_STOCK_QEMU
    fi
}

print_paths() {
    local name
    build_all >&2
    export_paths
    for name in SKEIN SKEIN_QEMU SKEIN_KERNEL SKEIN_INITRD SKEIN_INITRD_VIRTIO \
        SKEIN_KERNEL_DEVICES SKEIN_INITRD_DEVICES SKEIN_INITRD_BUGS SKEIN_BUGS; do
        printf 'export %s=%q\n' "$name" "${!name}"
    done
}

run_skein() {
    (cd "$root" && bazel build --ui_event_filters=-info //cli:skein) || die "the command-line tool does not build"
    find_guest
    find_qemu
    export_paths
    cd "$start_folder" || die "the folder that you called from is gone"
    exec "$SKEIN" "$@"
}

# Bazel's folders hold read-only files, so its own clean goes first.
clean() {
    if command -v bazel >/dev/null && [ -d "$cache/bazel" ]; then
        (cd "$root" && bazel clean --expunge && bazel shutdown) >/dev/null 2>&1 || true
    fi
    rm -f "$root"/bazel-*
    if [ -d "$cache" ]; then
        chmod -R u+w "$cache"
        rm -rf "$cache"
    fi
    say "removed $cache"
}
