# The reader's last word before its sleep: the mailbox is full by then. And who filled it, while the
# reader stood between its look and its sleep.
continue
set $end = $pc
print mailbox
watch mailbox.sleeper
reverse-continue
backtrace 4
printf "full when the reader goes to sleep: %d\n", mailbox.full
delete
watch mailbox.full
reverse-continue
backtrace 4
info threads
delete
continue
printf "the same end: %d\n", $pc == $end
