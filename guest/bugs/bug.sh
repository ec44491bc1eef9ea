# skein.workload=bug skein.arg=NAME[,ROUNDS]: loads the module bug_NAME and calls it until its bug
# has happened or the rounds are over. Says where the module lies, as a command for gdb.
name=$1
module=bug_$name

# Oopses and tasks that hang for 2 seconds end in a panic: the recording is to end there.
echo 1 >/proc/sys/kernel/panic_on_oops
echo 1 >/proc/sys/kernel/hung_task_panic
echo 2 >/proc/sys/kernel/hung_task_timeout_secs

insmod "/bugs/$module.ko" || {
    echo "fail bug $name: the module does not load"
    exit 1
}
cd "/sys/module/$module/sections" || exit 1
command="add-symbol-file $module.ko"
for section in .text .data .bss .rodata; do
    [ ! -f "$section" ] || command="$command -s $section $(cat "$section")"
done
echo "SKEIN-BUG gdb: $command"
exec /bugs/trigger "$@"
