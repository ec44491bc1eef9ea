# skein.workload=bug skein.arg=NAME[,ROUNDS]: loads the module bug_NAME and calls it until its bug
# has happened or the rounds are over; with NAME all, one module after the other. Says where a module
# lies, as a command for gdb.

# Oopses and tasks that hang for 2 seconds end in a panic: the recording is to end there.
echo 1 >/proc/sys/kernel/panic_on_oops
echo 1 >/proc/sys/kernel/hung_task_panic
echo 2 >/proc/sys/kernel/hung_task_timeout_secs

load() {
    insmod "/bugs/bug_$1.ko" || {
        echo "fail bug $1: the module does not load"
        exit 1
    }
    sections=/sys/module/bug_$1/sections
    command="add-symbol-file bug_$1.ko"
    for section in .text .data .bss .rodata; do
        [ ! -f "$sections/$section" ] || command="$command -s $section $(cat "$sections/$section")"
    done
    echo "SKEIN-BUG gdb: $command"
}

names=$1
shift
[ "$names" != all ] || names="abba fetch list uaf wakeup"
for name in $names; do
    load "$name"
    /bugs/trigger "$name" "$@" || exit
done
