# Where the client that nobody points to any more was put into the list: the last write of its "prev".
# The other vCPU is in client_append(), too, and about to overwrite what this one writes: back to
# where it went in.
continue
set $end = $pc
watch *(unsigned long *) $word
reverse-continue
backtrace 3
info threads
delete
eval "break client_append thread %d", 3 - $_thread
reverse-continue
backtrace 2
delete
continue
printf "the same end: %d\n", $pc == $end
