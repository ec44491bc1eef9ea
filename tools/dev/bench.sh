# shellcheck shell=bash disable=SC2154 # root, start_folder: dev
# ./dev bench: programs in bench/, or workloads of skein bench.

# Workloads of skein bench, which puts its results into ./bench-results unless it is told otherwise.
run_skein_bench() {
    local word output=(-o bench-results)
    for word in "$@"; do
        case $word in
            -o* | --output*) output=() ;;
        esac
    done
    build_all
    export_paths
    # Only native and qemu-rr need it; nearly everybody wants native.
    SKEIN_STOCK_QEMU=${SKEIN_STOCK_QEMU:-$("$root/qemu/build.sh" stock)}
    export SKEIN_STOCK_QEMU
    export_apps
    cd "$start_folder" || die "the folder that you called from is gone"
    exec "$SKEIN" bench "${output[@]}" "$@"
}

run_bench() {
    [ $# -ge 1 ] || die "which benchmark? Like ./dev bench record"
    case $1 in
        rocksdb | redis | nginx | build | micro) run_skein_bench "$@" ;;
        *) run_part bench "$@" ;;
    esac
}

# What this call wants beyond package_table.
extra_packages() {
    case "$*" in
        test* | soak*) graph_package_table ;;
        'bench rocksdb'* | 'bench redis'* | 'bench nginx'* | 'bench build'* | 'bench micro'*) bench_package_table ;;
    esac
}
