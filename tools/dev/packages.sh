# shellcheck shell=bash
# The distribution and its packages: which ones are needed, and why.

package_table() {
    cat <<'TABLE'
gcc                   compiles everything
libc6-dev             C library, static for the guest's workloads
bazel-bootstrap       builds and tests our C code
bazel-platforms       repository that Bazel would fetch
bazel-skylib          repository that Bazel would fetch
bazel-rules-java      repository that Bazel would fetch
bazel-rules-proto     repository that Bazel would fetch
libck-dev             atomics of the shards
libzstd-dev           compression of segments and snapshots
libprotobuf-c-dev     encoding of segments
protobuf-c-compiler   encoding of segments
libxxhash-dev         checksums and digests
libhwloc-dev          finds NUMA nodes and cores
libnuma-dev           binds shards to NUMA nodes
libseccomp-dev        names of system calls in skein's output
libcapstone-dev       disassembly in skein replay --log and skein bisect
libcriterion-dev      unit tests
ninja-build           builds QEMU
pkg-config            finds QEMU's libraries
python3-venv          QEMU's configure
python3-pip           QEMU's configure
libglib2.0-dev        QEMU's base library
libpixman-1-dev       QEMU's display
libfdt-dev            QEMU's device trees
libslirp-dev          QEMU's user network
zlib1g-dev            QEMU; the timeline's data
flex                  QEMU's build
bison                 QEMU's build
patch                 applies our patches to QEMU
dpkg-dev              unpacks QEMU's source package
xz-utils              unpacks QEMU's source package
ccache                makes QEMU's second build fast
seabios               the guest's firmware
qemu-system-data      the guest's option ROMs
busybox-static        the guest's shell and tools
cpio                  packs the guest's image
kmod                  finds what the guest kernel's modules depend on
e2fsprogs             makes the tests' file systems
qemu-utils            makes the tests' qcow2 images
make                  builds the guest's kernel modules
libelf1               objtool, which checks the guest's kernel modules, needs it
gdb                   the tests debug replayed kernels with it, and stand at the bugs of modules
clang-format          checks the format of our code
clang-tidy            checks our code
clang                 builds the fuzzers
libclang-rt-14-dev    libFuzzer and the sanitizers of the fuzzers
shellcheck            checks our scripts
spin                  checks the models of the protocols
liblttng-ust-dev      ./dev bench pipeline compares appends with a tracepoint of it
lttng-tools           ./dev bench pipeline: the daemon that consumes what the tracepoint writes
mandoc                checks our manual pages
chromium              the tests look at the timeline's page
jq                    the tests and benchmarks read skein's JSON
TABLE
}

# For skein bench, and for its test.
graph_package_table() {
    cat <<'TABLE'
python3-matplotlib    graphs of skein bench
TABLE
}

# Only for ./dev bench with a workload of skein bench.
bench_package_table() {
    graph_package_table
    cat <<'TABLE'
redis-tools           skein bench redis: the client on the host
wrk                   skein bench nginx: the client on the host
TABLE
}

check_distribution() {
    local id=unknown version=unknown
    if [ -r /etc/os-release ]; then
        id=$(. /etc/os-release && echo "${ID:-unknown}")
        version=$(. /etc/os-release && echo "${VERSION_ID:-unknown}")
    fi
    if [ "$id $version $(uname -m)" != "debian 12 x86_64" ]; then
        die "this needs Debian 12 on x86-64; here is $id $version on $(uname -m)"
    fi
}

# missing_packages [TABLE]: of package_table, and of another one.
missing_packages() {
    local installed name why
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null |
        sed -n 's/ installed$//p')
    while read -r name why; do
        grep -qxF "$name" <<<"$installed" || echo "$name $why"
    done < <(package_table; [ -z "$1" ] || printf '%s\n' "$1")
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "installing packages needs root: run this once as root: $*"
    fi
}

# Without a network, apt-get update only warns unless it is told otherwise.
update_package_lists() {
    as_root apt-get -q -o APT::Update::Error-Mode=any update
}

# install_packages [TABLE]: package_table, and another one.
install_packages() {
    local missing name why
    local -a names=()
    missing=$(missing_packages "${1:-}")
    [ -n "$missing" ] || return 0
    say "installing packages:"
    while read -r name why; do
        printf '  %-21s %s\n' "$name" "$why" >&2
        names+=("$name")
    done <<<"$missing"
    need_space 2048
    run_online 'the update of the package lists' update_package_lists
    run_online 'the installation of packages' as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y --no-install-recommends install "${names[@]}"
}
