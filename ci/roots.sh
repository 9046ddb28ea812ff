# Sourced behind common.sh: root file systems of Debian suites, in build/roots, and commands that run in them. Wants root
# and mmdebstrap.
# shellcheck shell=bash

# make_root DIR SUITE PACKAGE...: a root with these packages; one that is there gets those that it lacks.
make_root() {
    local root=$1 suite=$2 file
    mkdir -p "${root%/*}"
    # As root throughout: apt's own user may not enter the folders above
    [[ -e $root/etc/debian_version ]] || mmdebstrap --quiet --variant=apt --aptopt='APT::Sandbox::User "root"' \
        --aptopt='APT::Install-Recommends "false"' "$suite" "$root" || return
    for file in /etc/resolv.conf /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
        [[ ! -e $file ]] || install -D -m 644 "$(realpath "$file")" "$root$file"
    done
    enter "$root" sh -c "apt-get -q update && apt-get -q -y install $(printf '%q ' "${@:3}")" > "$scratch/apt.log" 2>&1 ||
        { cat "$scratch/apt.log"; return 1; }
    [[ ! -e /etc/ssl/certs/ca-certificates.crt ]] ||
        cp "$(realpath /etc/ssl/certs/ca-certificates.crt)" "$root/etc/ssl/certs/ca-certificates.crt"
}

# enter ROOT COMMAND...: run it there, in namespaces of mounts and processes that end with it.
enter() {
    # shellcheck disable=SC2016
    env -u TMPDIR -u PIP_FIND_LINKS HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin unshare --mount --pid --fork --kill-child bash -c '
            mount --rbind /dev "$0/dev" && mount --rbind /sys "$0/sys" && mount -t proc proc "$0/proc" &&
                exec chroot "$0" "$@"' "$@"
}
