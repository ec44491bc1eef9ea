# shellcheck shell=bash disable=SC2154 # cache: common.sh
# What comes from Debian without being installed: QEMU's source and meson from Debian 13, the
# guest's kernel from Debian 12. Each is fetched once and stays until ./dev clean.

# The mirror that this machine uses for Debian 12's main, in whatever format its sources are.
machine_mirror() {
    # shellcheck disable=SC2016 # apt expands these
    apt-get indextargets --format '$(ORIGIN)|$(RELEASE)|$(COMPONENT)|$(REPO_URI)' \
        'Created-By: Packages' 'Codename: bookworm' 'Component: main' 2>/dev/null |
        sed -n 's/^[^|]*|[^|]*|main|//p' | head -n 1
}

# apt-get with a configuration of its own: Debian 13's lists, nothing of the system's touched.
apt_of_debian_13() {
    local apt=$cache/apt
    apt-get -q -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" \
        -o Dir::Etc::Preferences=- -o Dir::Etc::PreferencesParts=- \
        -o Acquire::Languages=none -o APT::Sandbox::User="$(id -un)" \
        -o APT::Update::Error-Mode=any "$@"
}

update_debian_13() {
    local apt=$cache/apt mirror options
    [ ! -e "$apt/updated" ] || return 0
    mirror=$(machine_mirror)
    [ -n "$mirror" ] || die "apt knows no Debian 12 mirror: check /etc/apt/sources.list"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    options='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
    printf '%s\n' "deb $options $mirror trixie main" "deb-src $options $mirror trixie main" \
        >"$apt/sources.list"
    run_online 'the update of the Debian 13 lists' apt_of_debian_13 update
    touch "$apt/updated"
}

fetch_in() {
    cd "$1" && shift && "$@"
}

download_qemu_source() {
    say "fetching QEMU's source from Debian 13 (40 MB)"
    need_space 1024
    update_debian_13
    run_online 'the download of QEMU' \
        fetch_in "$1" apt_of_debian_13 source --download-only qemu
}

download_meson() {
    update_debian_13
    run_online 'the download of meson' \
        fetch_in "$1" apt_of_debian_13 download meson
    run_logged 'the unpacking of meson' dpkg-deb -x "$1"/meson_*.deb "$1"
}

# The package that the metapackage stands for today.
newest_kernel_package() {
    apt-cache depends "$1" 2>/dev/null |
        sed -n 's/.*Depends: \(linux-image-[^ ]*\)/\1/p' | head -n 1
}

download_kernel_package() {
    fetch_in "$1" apt-get -q -o APT::Sandbox::User="$(id -un)" download "$(newest_kernel_package "$2")"
}

# download_kernel DIR METAPACKAGE MEGABYTES
# Stale lists name packages that the mirror has replaced: update and try once more.
download_kernel() {
    say "fetching the kernel of $2 from Debian 12 ($3 MB)"
    need_space 1024
    if [ -z "$(newest_kernel_package "$2")" ] || ! download_kernel_package "$1" "$2" >/dev/null 2>&1; then
        run_online 'the update of the package lists' update_package_lists
        run_online 'the download of the guest kernel' \
            download_kernel_package "$1" "$2"
    fi
    run_logged 'the unpacking of the guest kernel' dpkg-deb -x "$1"/linux-image-*.deb "$1/root"
    rm "$1"/linux-image-*.deb
}

download_header_packages() {
    local dir=$1 release=$2
    fetch_in "$dir" apt-get -q -o APT::Sandbox::User="$(id -un)" download "linux-headers-$release" \
        "linux-headers-${release%-cloud-amd64}-common" linux-kbuild-6.1
}

# The headers of exactly the kernel that is here. A mirror keeps the newest kernel only.
download_headers() {
    local dir=$1 release=${kernel##*/vmlinuz-} package
    say "fetching the headers of $release from Debian 12 (14 MB)"
    need_space 512
    if ! download_header_packages "$dir" "$release" >/dev/null 2>&1; then
        run_online 'the update of the package lists' update_package_lists
        download_header_packages "$dir" "$release" >/dev/null 2>&1 ||
            die "apt cannot download linux-headers-$release: without a network, try again with one; if Debian" \
                "has a newer kernel by now, rm -r $cache/kernel-debian12 makes ./dev fetch that"
    fi
    for package in "$dir"/*.deb; do
        run_logged "the unpacking of the kernel's headers" dpkg-deb -x "$package" "$dir/root"
        rm "$package"
    done
}
