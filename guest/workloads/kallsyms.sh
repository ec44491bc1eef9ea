# Every symbol as the kernel itself lists it: how many, and a checksum of addresses and names in
# order; what a debugger is given can be compared with it. $1: seconds to wait afterwards.
cut -d' ' -f1,3 /proc/kallsyms | tr '\t' ' ' | cut -d' ' -f1,2 | sort >/tmp/kallsyms
echo "kallsyms $(wc -l </tmp/kallsyms) $(md5sum </tmp/kallsyms | cut -d' ' -f1)"
sleep "${1:-0}"
