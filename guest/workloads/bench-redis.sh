# shellcheck disable=SC2154 # from bench.sh
# Part of bench.sh: redis, get or set -p PIPELINE - guest or host: where the client runs. Nothing is
# saved to disk. OPS: requests.
redis-server --save '' --appendonly no --bind 0.0.0.0 --protected-mode no --port 6379 >/tmp/log 2>&1 &
listens 6379

client() {
    command=$1 pipeline=$2
    shift 2
    redis-benchmark -q -t "$command" -P "$pipeline" -c 16 -r 10000 -d 64 "$@" >/tmp/client 2>&1 ||
        fail "redis-benchmark"
}

warm_up() {
    client "$command" "$pipeline" -n $((ops / 10 + 1))
}

client set 16 -n 20000 # something to get
case $bench in
    *-host) measure_from_host ;;
    *)
        command=${bench%%-*}
        pipeline=${bench#*-p}
        pipeline=${pipeline%-guest}
        warm_up_twice
        begin
        client "$command" "$pipeline" -n "$ops"
        end "$ops"
        ;;
esac
