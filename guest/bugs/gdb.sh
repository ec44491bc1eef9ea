#!/bin/bash
# Prints what gdb needs to know of a recording of a module with a bug: where its symbols lie, and
# which word was found wrong, as $word. Both are on the recorded console.
#   guest/bugs/gdb.sh RECORDING [FOLDER-OF-KO-FILES]
set -euo pipefail

usage='usage: guest/bugs/gdb.sh RECORDING [FOLDER-OF-KO-FILES]'
console=${1:?$usage}/console.log
folder=$(realpath "${2:-${SKEIN_BUGS:?$usage}}")
root=$(realpath "$(dirname "$0")/../..")

echo "directory $root"
# The modules' own report; or the kernel's list check, which names the node that nobody points to any
# more: the word is its "prev", its second, which was written when it was put into the list.
# shellcheck disable=SC2016 # $word is gdb's
tr -d '\r' <"$console" | sed -n \
    -e "s|^SKEIN-BUG gdb: add-symbol-file |add-symbol-file $folder/|p" \
    -e 's/.*SKEIN-BUG word=/set $word = /p' \
    -e 's/.*list_del corruption\. prev->next should be \([0-9a-f]*\),.*/set $word = 0x\1 + 8/p'
