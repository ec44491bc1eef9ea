# Who took each account's lock for good: the last time that the lock's word changed from another
# owner (its low three bits are flags) to the one that it has at the end.
define taken
  set $lock = &accounts[$arg0].lock.owner.counter
  set $owner = *$lock & ~7
  watch *$lock
  while (*$lock & ~7) == $owner
    reverse-continue
  end
  printf "account %d was locked for good by vCPU %d, called from:\n", $arg0, $_thread - 1
  x/8a $rsp
  delete
end
continue
set $end = $pc
print accounts[0].lock.owner
print accounts[1].lock.owner
taken 0
continue
taken 1
continue
printf "the same end: %d\n", $pc == $end
