# A file system on the first disk, which the host has made (ext4): files written by several at once,
# read back from the page cache and, after a new mount, from the disk; sums agree. Then the disk itself
# is written and read in blocks, with and without the page cache: what was on it is lost.
# Argument: files of each writer. Runs in our guest image only.
files=${1:-6}
disk=
for d in /dev/vda /dev/nvme0n1 /dev/sda; do
    if [ -z "$disk" ] && [ -b "$d" ]; then disk=$d; fi
done
[ -n "$disk" ] || { echo "fail storage: there is no disk"; exit 1; }
grep -q skein.workload= /proc/cmdline || { echo "fail storage: not a guest of ours"; exit 1; }

fail() {
    echo "fail storage: $*"
    exit 1
}

write_files() {
    mkdir "/mnt/w$1" && cd "/mnt/w$1" || return 1
    for f in $(seq "$files"); do
        dd if=/dev/urandom of="f$f" bs=4k count=$((f * 5)) 2>/dev/null || return 1
        cp "f$f" "copy$f" && sync "copy$f" && mv "copy$f" "moved$f" || return 1
    done
    rm f1
}

mkdir -p /mnt
mount -t ext4 "$disk" /mnt || fail "mount"
[ "$(cat /mnt/made-by-the-host)" = "a file of the host" ] || fail "the host's file"
pids=
for w in 1 2 3; do
    write_files "$w" &
    pids="$pids $!"
done
for pid in $pids; do
    wait "$pid" || fail "a writer"
done
(cd /mnt && sha256sum w*/* >/tmp/sums) || fail "sums"
cp /tmp/sums /mnt/sums
umount /mnt || fail "umount"
echo 3 >/proc/sys/vm/drop_caches
mount -t ext4 "$disk" /mnt || fail "the second mount"
cmp -s /tmp/sums /mnt/sums || fail "the file of sums"
(cd /mnt && sha256sum -c -s /tmp/sums) || fail "a file is not what was written"
umount /mnt || fail "the second umount"
echo "ok storage: files on $disk, written, read back, mounted anew"
exec /workloads/workload disk
