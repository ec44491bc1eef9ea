# shellcheck disable=SC2154 # from bench.sh
# Part of bench.sh: nginx, a file of SIZEk - guest or host: where the client (wrk) runs. OPS:
# seconds by the guest's clock; wrk says how many requests that were.
mkdir -p /tmp/www /var/lib/nginx /var/log/nginx
for kib in 1 4 16 64; do
    dd if=/dev/urandom of="/tmp/www/${kib}k" bs=1024 count="$kib" 2>/dev/null
done
cat >/tmp/nginx.conf <<END
daemon off;
user root;
worker_processes $cpus;
pid /tmp/nginx.pid;
error_log /tmp/log;
events { worker_connections 256; }
http {
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    server { listen 80; root /tmp/www; }
}
END
nginx -c /tmp/nginx.conf &
listens 80
file=${bench%-*}

# With the port: there is no /etc/services in which wrk would look up that of http.
client() {
    wrk -t 1 -c 16 -d "$1s" "http://127.0.0.1:80/$file" >/tmp/client 2>&1 ||
        fail "wrk: $(tail -n 3 /tmp/client)"
    requests=$(sed -n 's/^ *\([0-9]*\) requests in .*/\1/p' /tmp/client)
    if [ -z "$requests" ] || grep -q -e Non-2xx -e 'Socket errors' /tmp/client; then
        fail "wrk: $(tail -n 3 /tmp/client)"
    fi
}

warm_up() {
    client 1
}

case $bench in
    *-host) measure_from_host ;;
    *)
        warm_up_twice
        begin
        client "$ops"
        end "$requests"
        ;;
esac
