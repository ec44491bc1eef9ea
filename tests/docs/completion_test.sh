#!/bin/bash
# completion_test.sh SKEIN: what bash offers for several command lines.
set -euo pipefail

skein=$(realpath "$1")
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/skein-completion.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p recordings/{b,a,raw} other
touch recordings/{b,a}/manifest vmlinuz

script=$("$skein" completion bash)
eval "$script"

cases=0
failed=0

# offers WORDS… : EXPECTED…: the last word is the one that is being completed.
offers() {
    local -a words=()
    while [ "$1" != : ]; do
        words+=("$1")
        shift
    done
    shift
    COMP_WORDS=("${words[@]}")
    COMP_CWORD=$((${#words[@]} - 1))
    COMPREPLY=()
    _skein
    cases=$((cases + 1))
    if [ "${COMPREPLY[*]}" != "$*" ]; then
        printf '%s: offers "%s", not "%s"\n' "${words[*]}" "${COMPREPLY[*]}" "$*"
        failed=$((failed + 1))
    fi
}

offers skein re : record replay recover
offers skein --v : --version
offers skein help ve : verify version
offers skein completion '' : bash
offers skein record --sc : --scope
offers skein record --scope '' : kernel system
offers skein record --scope = s : system
offers skein record --start con : console:
offers skein record --stop = : exit console: guest
offers skein record --durability b : block
offers skein record --kernel vm : vmlinuz
offers skein record --smp '' :
offers skein record -o rec : recordings
offers skein record -o x -- '' :
offers skein replay --q : --quiet --qemu
offers skein replay -q recordings/ : recordings/a recordings/b recordings/raw
offers skein info --json recordings/b : recordings/b
offers skein info --json = vm : vmlinuz
offers skein recover -o o : other
offers skein cat --kind en : entry end
offers skein cat --kind token,mem,fp : token,mem,fpu
offers skein cat --time '' :
offers skein timeline -o vm : vmlinuz
offers skein diff recordings/a recordings/ : recordings/a recordings/b recordings/raw
offers skein info rec : recordings
offers skein bench re : redis
offers skein bench redis --schemes native,sk : native,skein
offers skein doctor --m : --memory
offers skein doctor --vcpus '' :
offers skein doctor '' :
offers skein nonsense --x :

[ "$cases" -ge 20 ]
[ "$failed" = 0 ]
echo "$cases cases"
