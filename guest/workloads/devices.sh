# Small devices, each used and checked: real-time clock, clock sources and their interrupts, the
# random number generator and the console of virtio, keyboard and mouse. The host echoes what comes
# from the console, and after SKEIN-INPUT types keys and moves the mouse.

fail() {
    echo "fail devices: $*"
    exit 1
}

# The events of a device of that name that come within some seconds, until there are enough.
read_events() {
    handler=$(awk -v name="$1" '/^N:/ { found = index($0, name) }
        /^H:/ && found { for (i = 1; i <= NF; i++) if ($i ~ /event[0-9]/) { sub("Handlers=", "", $i); print $i; exit } }' \
        /proc/bus/input/devices)
    [ -n "$handler" ] || fail "no input device: $1"
    dd if="/dev/input/$handler" of="/tmp/events.$2" bs=24 count="$3" 2>/dev/null &
    events="$events $!"
}

clock() {
    [ "$(hwclock -r -u | wc -c)" -gt 10 ] || fail "the real-time clock"
    date -u >/dev/null
    before=$(cat /sys/class/rtc/rtc0/since_epoch)
    sleep 1.2
    [ "$(cat /sys/class/rtc/rtc0/since_epoch)" -gt "$before" ] || fail "the real-time clock stands still"
}

sources=/sys/devices/system/clocksource/clocksource0
clock
# shellcheck disable=SC2013 # words are what we want
for source in $(cat $sources/available_clocksource); do
    echo "$source" >$sources/current_clocksource
    [ "$(cat $sources/current_clocksource)" = "$source" ] || fail "clock source $source"
    for _ in 1 2 3 4 5; do
        sleep 0.01
        date +%s >/dev/null
    done
done
echo "ok devices: clocks"

if [ -c /dev/hwrng ]; then
    dd if=/dev/hwrng of=/tmp/random bs=512 count=16 2>/dev/null
    [ "$(wc -c </tmp/random)" = 8192 ] || fail "random numbers"
    echo "ok devices: random numbers"
fi

if [ -c /dev/hvc0 ]; then
    exec 3<>/dev/hvc0
    stty raw -echo <&3
    for n in 1 2 3 4 5 6; do
        line=$(dd if=/dev/urandom bs=60 count=1 2>/dev/null | base64 -w 0)
        echo "$line" >&3
        read -r back <&3
        [ "$back" = "$line" ] || fail "line $n of the console"
    done
    exec 3>&-
    echo "ok devices: the console of virtio"
fi

events=
read_events "AT Translated" keys 12
read_events "Mouse" mouse 6
sleep 0.3
echo "SKEIN-INPUT"
for pid in $events; do
    wait "$pid" || fail "input"
done
[ "$(wc -c </tmp/events.keys)" = 288 ] || fail "keys"
[ "$(wc -c </tmp/events.mouse)" = 144 ] || fail "mouse"
echo "ok devices: keyboard and mouse"
