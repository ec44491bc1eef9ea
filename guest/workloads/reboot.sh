# Resets the machine after a little work. With -no-reboot, QEMU ends then.
/workloads/workload demo 1 || exit 1
echo "ok reboot: about to"
reboot -f
