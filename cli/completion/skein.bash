# shellcheck shell=bash
# Completion of skein for bash: skein completion bash

_skein_options() {
    local qemu='--qemu --verbose'
    case $1 in
        record)
            echo -o --output --attach --print-args --kernel --initrd --append --smp --memory --cpu \
                --scope --start --stop --durability --epoch --timeout --huge-pages --until \
                --repeat --chaos -q --quiet --json "$qemu"
            ;;
        replay) echo --from --epoch --gdb --vmlinux --log -q --quiet --json "$qemu" ;;
        verify) echo -j --jobs --resume --junit -q --quiet --json "$qemu" ;;
        bisect)
            echo --reference --reference-qemu -j --jobs --seconds --json "$qemu"
            ;;
        info | ls | diff) echo --json ;;
        stats) echo --top --json ;;
        cat) echo --kind --vcpu --tick --slice --time --limit --bytes --json ;;
        export) echo --perfetto --from --to --json ;;
        timeline) echo -o --from --to --max --json ;;
        symbols) echo -o --output --checkpoint --vmlinux --json ;;
        collect) echo --fd -o --output --machine --cpu --memory --smp --qemu-version ;;
        recover) echo -o --output --session -q --quiet --json ;;
        bench)
            echo -o --output --schemes --cores --trials --only --scale --qemu -q --quiet --json
            ;;
        doctor) echo --vcpus --memory --qemu --json ;;
    esac
}

# How bash shows what is offered; old ones do not know all ways.
_skein_how() {
    compopt -o "$1" 2>/dev/null || true
}

# Those of the words that begin with $cur.
_skein_words() {
    mapfile -t COMPREPLY < <(compgen -W "$*" -- "$cur")
}

# The same for the last word of a list with commas.
_skein_list() {
    local head=
    [[ $cur != *,* ]] || head=${cur%,*},
    mapfile -t COMPREPLY < <(compgen -P "$head" -W "$*" -- "${cur##*,}")
    _skein_how nospace
}

_skein_files() {
    mapfile -t COMPREPLY < <(compgen -"$1" -- "$cur")
    _skein_how filenames
}

# Folders: first the recordings, which hold a manifest.
_skein_recordings() {
    local dir
    local -a others=()
    COMPREPLY=()
    while IFS= read -r dir; do
        if [[ -e $dir/manifest ]]; then
            COMPREPLY+=("$dir")
        else
            others+=("$dir")
        fi
    done < <(compgen -d -- "$cur" | sort)
    COMPREPLY+=("${others[@]}")
    _skein_how filenames
    _skein_how nosort
}

# The value of option $1 of verb $2; fails when there is nothing to say about it.
_skein_value() {
    case $1 in
        --scope) _skein_words kernel system ;;
        --schemes) _skein_list native skein system qemu-rr ;;
        --cores) _skein_list 1 2 4 ;;
        --start) _skein_words boot console: guest ;;
        --stop) _skein_words exit console: guest ;;
        --until) _skein_words panic console: exit: ;;
        --durability) _skein_words none segment block ;;
        --kind)
            _skein_list token entry interrupt value user_read mem fpu digest page_dirty page_clean \
                tlb_flush mark end
            ;;
        --vcpu) _skein_list 0 1 2 3 devices ;;
        --kernel | --initrd | --attach | --vmlinux | --qemu | --reference-qemu | --session | --perfetto | --resume | --junit | --json) _skein_files f ;;
        -o | --output) if [[ $2 == timeline || $2 == symbols ]]; then _skein_files f; else _skein_files d; fi ;;
        --append | --smp | --vcpus | --memory | --cpu | --timeout) COMPREPLY=() ;;
        --repeat | --chaos | --checkpoint | --fd | --machine | --qemu-version) COMPREPLY=() ;;
        --log) _skein_words cpu=0,start= ;;
        -j | --jobs | --trials | --only | --scale) COMPREPLY=() ;;
        --tick | --slice | --time | --limit | --from | --to | --max | --top | --seconds) COMPREPLY=() ;;
        *) return 1 ;;
    esac
}

_skein() {
    local cur=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} option='' i
    local verbs='record replay verify bisect info stats ls cat diff export timeline symbols collect'
    verbs+=' recover bench'
    verbs+=' doctor completion help version'
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _skein_words "$verbs" --help --version
        return
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} != -- ]] || return 0 # QEMU's own
    done
    # "--scope=k" comes as the words "--scope", "=", "k". --json has a value only so.
    if [[ $cur == = ]]; then
        cur='' option=${COMP_WORDS[COMP_CWORD - 1]}
    elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ ${COMP_WORDS[COMP_CWORD - 1]} != --json ]]; then
        option=${COMP_WORDS[COMP_CWORD - 1]}
    fi
    if _skein_value "$option" "$verb"; then
        return
    fi
    case $verb in
        help) _skein_words "$verbs" ;;
        completion) _skein_words bash ;;
        bench)
            if [[ $cur == -* ]]; then
                _skein_words "$(_skein_options bench)" --help
            else
                _skein_words rocksdb redis nginx build micro
            fi
            ;;
        *)
            if [[ $cur == -* ]]; then
                _skein_words "$(_skein_options "$verb")" --help
            elif [[ $verb != record && $verb != doctor ]]; then
                _skein_recordings
            fi
            ;;
    esac
}

complete -F _skein skein
