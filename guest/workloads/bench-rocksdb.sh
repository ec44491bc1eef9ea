# shellcheck disable=SC2154 # from bench.sh
# Part of bench.sh: RocksDB's db_bench, BENCHMARK-tmpfs or BENCHMARK-disk: where the database lies. On
# the disk the page cache is left out, so that reads go to the device. One reading thread for each CPU;
# a small block cache, so that most reads go to the kernel.
# OPS: of each thread; for readseq, passes over the whole database.
# The bench "prepare" makes the database on the second disk, once for all; the others copy it.
KEYS=100000
CACHE_BYTES=2097152

run_db() {
    # shellcheck disable=SC2086 # $direct is words, or nothing
    db_bench --db="$db" --num=$KEYS --value_size=100 --compression_type=none --seed=1 \
        --cache_size=$CACHE_BYTES --threads="$cpus" $direct "$@" >/tmp/log 2>&1 ||
        fail "db_bench $*"
}

mkdir /tmp/disk
mount -t ext4 /dev/vdb /tmp/disk || fail "no second disk"
db=/tmp/disk/db
direct=
if [ "$bench" = prepare ]; then
    cpus=1
    run_db --benchmarks=fillseq,compact
    umount /tmp/disk || fail "umount"
    record
    begin
    end "$KEYS"
    exit
fi

benchmark=${bench%-*}
if [ "${bench##*-}" = disk ]; then
    direct='--use_direct_reads=true --use_direct_io_for_flush_and_compaction=true'
else
    db=/tmp/db
    cp -r /tmp/disk/db /tmp/db || fail "cp"
    umount /tmp/disk
fi
if [ "$benchmark" = readseq ]; then
    measured="--benchmarks=readseq[X$ops]"
    total=$((ops * KEYS * cpus))
    warm_up() {
        run_db --use_existing_db=1 --benchmarks=readseq
    }
else
    measured="--benchmarks=$benchmark --reads=$ops"
    total=$((ops * cpus))
    warm_up() {
        run_db --use_existing_db=1 --benchmarks=readrandom --reads=$((ops / 10 + 1))
    }
fi
warm_up_twice
begin
# shellcheck disable=SC2086 # words
run_db --use_existing_db=1 $measured
end "$total"
