# The last write of the pointer that the kernel's list check found wrong. It came while the vCPU that
# was to fail stood in client_append(), with a "last" that it had read before: back to there, too.
continue
set $end = $pc
set $failed = $_thread
watch *(unsigned long *) $word
reverse-continue
backtrace 4
info threads
delete
eval "break client_append thread %d", $failed
reverse-continue
backtrace 2
delete
continue
printf "the same end: %d\n", $pc == $end
