# All kernel: one pair of dd per CPU, in blocks of 512 bytes. Argument: blocks per pair.
blocks=${1:-20000}
cpus=$(grep -c ^processor /proc/cpuinfo)

pair() {
    dd if=/dev/zero bs=512 count="$blocks" 2>/dev/null | dd of=/dev/null bs=512 2>"/tmp/dd.$1"
}

for cpu in $(seq "$cpus"); do
    pair "$cpu" &
done
wait
for cpu in $(seq "$cpus"); do
    grep -q "^$blocks+0 records in" "/tmp/dd.$cpu" || { echo "fail dd: pair $cpu"; exit 1; }
done
echo "ok dd: $blocks blocks per CPU"
