# Ends in a kernel panic.
echo "ok panic: about to"
echo c >/proc/sysrq-trigger
echo "fail panic: still here"
exit 1
