# shellcheck shell=bash
# Messages, the cache and its locks. Sourced by ./dev and by qemu/build.sh.

cache=${SKEIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/skein}

say() {
    printf 'dev: %s\n' "$*" >&2
}

die() {
    say "$*"
    exit 1
}

free_mib() {
    df --output=avail -B1M "$1" | tail -n 1 | tr -d ' '
}

# need_space MIB: one line instead of a failure half-way.
need_space() {
    local free
    mkdir -p "$cache" || die "cannot make the cache folder $cache (set SKEIN_CACHE to another place)"
    free=$(free_mib "$cache")
    [ "$free" -ge "$1" ] ||
        die "the disk that holds $cache is full: $free MiB free, $1 needed (SKEIN_CACHE names another place)"
}

# run_logged NAME COMMAND…: quiet when it works; otherwise the log's end, where the rest is, and
# whether the disk is full.
run_logged() {
    local name=$1 log
    log=$cache/log/${1//[^A-Za-z0-9]/-}.log
    shift
    mkdir -p "$cache/log"
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        [ "$(free_mib "$cache")" -ge 64 ] || die "$name failed: the disk that holds $cache is full"
        die "$name failed; the whole log is $log"
    fi
}

# The same for what needs the network: one line, since the log would only say so at length.
run_online() {
    local name=$1 log
    log=$cache/log/${1//[^A-Za-z0-9]/-}.log
    shift
    mkdir -p "$cache/log"
    "$@" >"$log" 2>&1 </dev/null && return
    [ "$(free_mib "$cache")" -ge 64 ] || die "$name failed: the disk that holds $cache is full"
    die "$name failed: is there a network? $(grep -m 1 '^[EW]:' "$log") (log: $log)"
}

# sha256 of the arguments' text and of standard input, short enough for a folder's name.
key_of() {
    { printf '%s\0' "$@" && cat; } | sha256sum | cut -c 1-16
}

# Names and contents of files, for key_of.
contents_of() {
    local file
    for file in "$@"; do
        printf '%s\0' "${file##*/}"
        sha256sum <"$file"
    done
}

# lock FD-VARIABLE NAME: one ./dev at a time for what the name stands for, until the descriptor is
# closed.
lock() {
    local -n descriptor=$1
    mkdir -p "$cache/lock"
    exec {descriptor}>"$cache/lock/$2"
    if ! flock -n "$descriptor"; then
        say "waiting for another ./dev that makes the $2"
        flock "$descriptor"
    fi
}

# cached NAME KEY FUNCTION: makes $cache/NAME-KEY by calling FUNCTION with an empty folder, unless
# it is there; sets `made`. A build that is killed leaves only a folder that the next one removes.
cached() {
    local name=$1 make=$3 final=$cache/$1-$2 work lock_fd
    if [ ! -e "$final" ]; then
        lock lock_fd "$name"
        if [ ! -e "$final" ]; then
            rm -rf "$cache/tmp.$name".*
            work=$cache/tmp.$name.$$
            mkdir -p "$work"
            "$make" "$work"
            mv "$work" "$final"
            keep_newest "$name" 3
        fi
        exec {lock_fd}>&-
    fi
    touch -c "$final"
    # shellcheck disable=SC2034 # for the caller
    made=$final
}

# keep_newest NAME COUNT: removes older makes of NAME, so that the cache does not grow for ever.
keep_newest() {
    local old
    find "$cache" -maxdepth 1 -name "$1-*" -printf '%T@ %p\n' | sort -rn | tail -n "+$(($2 + 1))" |
        while read -r _ old; do rm -rf "$old"; done
}
