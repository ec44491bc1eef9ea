# shellcheck disable=SC2154 # from bench.sh
# Part of bench.sh: single operations of the kernel (micro.c). OPS: of each CPU.
warm_up() {
    "$here/workload" micro "$bench" $((ops / 10 + 1)) || fail "the warm-up"
}

warm_up_twice
begin
"$here/workload" micro "$bench" "$ops" || fail "micro"
end $((ops * cpus))
