# A shell at work: small files, find, sort, gzip, sha256sum, tar, awk. Argument: the number of
# directories. One worker per CPU, each in a tree of its own; the answer is known.
directories=${1:-6}
cpus=$(grep -c ^processor /proc/cpuinfo)

worker() {
    tree=/tmp/mixed.$1
    mkdir -p "$tree" && cd "$tree" || return 1
    for d in $(seq "$directories"); do
        mkdir "d$d"
        for f in 1 2 3 4 5 6 7 8; do
            seq "$d" "$f" 400 >"d$d/f$f"
        done
    done
    find . -type f | sort | xargs sha256sum >"/tmp/mixed.sums.$1"
    tar cf - d* | gzip >all.tar.gz
    rm -r d*
    gunzip <all.tar.gz | tar xf -
    sha256sum -c "/tmp/mixed.sums.$1" >/dev/null || return 1
    cat d*/f* | sort -n | awk '{ n += $1 } END { print n }' >total
    cd / && mv "$tree/total" "/tmp/mixed.total.$1" && rm -r "$tree"
}

pids=
for cpu in $(seq "$cpus"); do
    worker "$cpu" &
    pids="$pids $!"
done
for pid in $pids; do
    wait "$pid" || { echo "fail mixed: a worker"; exit 1; }
done
for cpu in $(seq "$cpus"); do
    cmp -s /tmp/mixed.total.1 "/tmp/mixed.total.$cpu" || { echo "fail mixed: totals"; exit 1; }
done
echo "ok mixed: files, sums and archives"
