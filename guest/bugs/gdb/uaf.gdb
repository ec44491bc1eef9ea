# The last write of the object's magic, seen from the end of the recording.
continue
set $end = $pc
watch *(unsigned int *) $word
reverse-continue
backtrace 4
info threads
delete
continue
printf "the same end: %d\n", $pc == $end
