# One measured piece of work of `skein bench`: a fixed number of operations between two words on the
# console, by which the host takes the time: the guest's own clock is not the host's under every
# recorder. Before the first word there are two warm-ups. With the second one the recording begins, if
# there is one: what an emulator that records must translate anew then, once, is no part of what an
# operation costs.
# Arguments: GROUP BENCH OPS; bench-GROUP.sh says what OPS counts. All groups but micro need the disk
# of programs (skein.root: guest/apps.sh).
group=${1:?bench GROUP BENCH OPS}
bench=${2:?bench GROUP BENCH OPS}
# shellcheck disable=SC2034 # for the group's part
ops=${3:?bench GROUP BENCH OPS}
here=${0%/*}
# shellcheck disable=SC2034 # for the group's part
cpus=$(grep -c ^processor /proc/cpuinfo)

fail() {
    echo "fail bench $group $bench: $*"
    if [ -f /tmp/log ]; then tail -n 5 /tmp/log; fi
    exit 1
}

# Without a recorder nothing is at that port.
record() {
    sync
    "$here/workload" guestport 1
}

begin() {
    echo "SKEIN-BENCH begin $group $bench"
}

# The group's warm_up, with and without a recorder.
warm_up_twice() {
    warm_up
    record
    warm_up
}

# end OPS: of all CPUs together.
end() {
    echo "SKEIN-BENCH end $group $bench $1"
    "$here/workload" guestport 2
}

# listens PORT: until something does.
listens() {
    hex=$(printf ':%04X ' "$1")
    tries=0
    until grep -q "${hex}[0-9A-F]*:0000 0A" /proc/net/tcp /proc/net/tcp6 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "nothing listens at port $1"
        sleep 0.1
    done
}

# The client is the host's: it says when it has warmed up, and how much it has done.
measure_from_host() {
    if ! ip link set eth0 up || ! ip addr add 10.0.2.15/24 dev eth0; then
        fail "there is no network"
    fi
    # The address resolution of the first packet from outside needs one from here.
    ping -c 1 -W 5 10.0.2.2 >/dev/null || fail "the host does not answer"
    mkfifo /tmp/said
    # Both ends: opening one of them waits for the other.
    exec 3<>/tmp/said
    busybox nc -l -p 81 </dev/null >&3 &
    listens 81
    echo "SKEIN-BENCH serving $group $bench"
    {
        read -r _ && record && echo "SKEIN-BENCH recording $group $bench" &&
            read -r _ && begin && read -r done_ops && end "$done_ops"
    } <&3 || fail "the host said nothing"
}

[ -f "$here/bench-$group.sh" ] || fail "there is no such group"
cd /tmp || fail "no /tmp"
# shellcheck source=/dev/null
. "$here/bench-$group.sh"
