# Traffic both ways over eth0, in QEMU's user network. The guest fetches a file and its sum from the
# host (http://10.0.2.2:PORT/data), some at once; then it serves such a file at port 80 until somebody
# connects to port 81. Argument: the host's port.
port=${1:?network PORT}

fail() {
    echo "fail network: $*"
    exit 1
}

fetch() {
    wget -q -O "/tmp/in.$1" "http://10.0.2.2:$port/data" || return 1
    [ "$(sha256sum <"/tmp/in.$1")" = "$(cat /tmp/in.sum)" ]
}

set_up() {
    ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up && ip route add default via 10.0.2.2
}

set_up || fail "there is no network"
tries=0
until wget -q -O /tmp/in.sum "http://10.0.2.2:$port/sum"; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || fail "the host does not answer"
    sleep 1
done
pids=
for n in 1 2 3; do
    fetch "$n" &
    pids="$pids $!"
done
for pid in $pids; do
    wait "$pid" || fail "what came is not what was sent"
done
echo "ok network: fetched from the host"

mkdir /tmp/www
dd if=/dev/urandom of=/tmp/www/data bs=64k count=8 2>/dev/null
sha256sum </tmp/www/data >/tmp/www/sum
httpd -p 80 -h /tmp/www || fail "httpd"
# The address resolution of the first packet from outside needs one from here.
ping -c 1 -W 5 10.0.2.2 >/dev/null || fail "ping"
nc -l -p 81 >/tmp/said </dev/null &
echo "SKEIN-SERVING"
wait $!
echo "ok network: served to the host: $(cat /tmp/said)"
