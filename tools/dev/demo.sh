# shellcheck shell=bash disable=SC2154 # cache, SKEIN_…: common.sh, build.sh
# ./dev demo: a guest recorded, replayed, verified, and one table.

# number FILE FILTER: what jq finds in a summary; verify writes a list of them.
number() {
    jq -r "if type == \"array\" then .[0] else . end | $2" "$1" || die "$1 has no $2"
}

row() {
    printf '  %-26s %14s %14s %14s\n' "$@"
}

demo_table() {
    local dir=$1 vcpus=$2 kind kernel_name
    kernel_name=$(basename "$SKEIN_KERNEL")
    printf '\n%s\n\n' "Demo: $vcpus vCPUs, ${kernel_name#vmlinuz-}, scope $(number "$dir/record.json" .scope)"
    row '' recorded replayed verified
    row result "$(number "$dir/record.json" 'if .complete then "complete" else "INCOMPLETE" end')" \
        "$(number "$dir/replay.json" .verdict)" "$(number "$dir/verify.json" .verdict)"
    row 'seconds' "$(number "$dir/record.json" '.duration_s * 100 | round / 100')" \
        "$(number "$dir/replay.json" '.replay_s * 100 | round / 100')" \
        "$(number "$dir/verify.json" '.replay_s * 100 | round / 100')"
    row 'events' "$(number "$dir/record.json" .events)" \
        "$(number "$dir/replay.json" .events_done)" "$(number "$dir/verify.json" .events_done)"
    row 'slices' "$(number "$dir/record.json" .slices)" \
        "$(number "$dir/replay.json" .slices_done)" "$(number "$dir/verify.json" .slices_done)"
    row 'console bytes' "$(stat -c %s "$dir/recording/console.log")" \
        "$(number "$dir/replay.json" .console_bytes_done)" \
        "$(number "$dir/verify.json" .console_bytes_done)"
    row 'cross-core edges' "$(number "$dir/record.json" .edges)" '' ''
    row 'kernel instructions' "$(number "$dir/record.json" .kernel_icount)" '' ''
    while read -r kind count; do
        row "  $kind events" "$count" '' ''
    done < <(number "$dir/record.json" '.events_by_kind | to_entries[] | "\(.key) \(.value)"')
    row 'MB in shards' "$(number "$dir/record.json" '.shard_bytes / 1e5 | round / 10')" '' ''
    row 'MB in segments' "$(number "$dir/record.json" '.disk_bytes / 1e5 | round / 10')" '' ''
    row 'bytes per event' "$(number "$dir/record.json" '.bytes_per_event * 100 | round / 100')" '' ''
    printf '\n%s\n' "The recording is $dir/recording: try ./dev skein info $dir/recording"
}

run_demo() {
    local vcpus=${1:-2} dir
    build_all
    export_paths
    need_space 1024
    dir=$cache/demo
    rm -rf "$dir"
    mkdir -p "$dir"
    say "1 of 3: recording a guest that keeps $vcpus CPUs in the kernel, from boot to power-off"
    "$SKEIN" record -o "$dir/recording" --kernel "$SKEIN_KERNEL" --initrd "$SKEIN_INITRD" \
        --append 'console=ttyS0 panic=-1 quiet skein.workload=demo skein.arg=2' \
        --smp "$vcpus" --memory 512M --json="$dir/record.json" ||
        die "the recording failed"
    grep -q 'SKEIN-DONE rc=0' "$dir/recording/console.log" || die "the guest's workload failed"
    say "2 of 3: replaying it: the same kernel instructions, no user programs, no devices"
    "$SKEIN" replay --json="$dir/replay.json" "$dir/recording" || die "the replay failed"
    say "3 of 3: verifying it"
    "$SKEIN" verify --json="$dir/verify.json" "$dir/recording" || die "the verification failed"
    demo_table "$dir" "$vcpus"
}
