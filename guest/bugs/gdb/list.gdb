# The last write of the pointer that the kernel's list check found wrong, and where the other vCPU
# stood then: it appends, too, behind a client that is no longer the last.
continue
set $end = $pc
watch *(unsigned long *) $word
reverse-continue
backtrace 2
info threads
delete
continue
printf "the same end: %d\n", $pc == $end
