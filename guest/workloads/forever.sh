# The demo until somebody ends the guest.
while /workloads/workload demo 1; do :; done
exit 1
