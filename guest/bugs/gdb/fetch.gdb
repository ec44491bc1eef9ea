# The last write of the canary: the loop that copies the text, and how long it believes that is.
continue
set $end = $pc
watch *(unsigned long *) $word
reverse-continue
backtrace 4
printf "length %u, but at most %lu\n", length, sizeof(last.text)
delete
continue
printf "the same end: %d\n", $pc == $end
