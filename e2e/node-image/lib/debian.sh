# The lowest layer: Debian with systemd and what a kubelet calls. Whence packages come is apt's business.
# shellcheck shell=bash

readonly suite=bookworm

# What kind's own base image has (images/base/Dockerfile in its module), less what only other volumes need, and with the
# packages of what it builds from source: runc and the network plugins.
readonly packages=(
    systemd dbus
    conntrack iptables nftables iproute2 ethtool util-linux mount kmod
    libseccomp2 runc containernetworking-plugins
    bash ca-certificates jq procps rsync socat busybox-static
)

readonly dropped=(
    '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/info/*' '/usr/share/locale/*' '/usr/share/bash-completion/*'
    '/usr/lib/cni/*' '/usr/lib/udev/hwdb.d/*'
)

readonly kept=(/usr/lib/cni/{host-local,loopback,portmap,ptp})

# mmdebstrap runs this with the new system's folder: units that make no sense in a container, and what apt left.
# As in kind's Dockerfile.
# shellcheck disable=SC2016 # mmdebstrap's shell expands them.
readonly strip='
    cd "$1"
    rm -rf usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service \
        usr/lib/systemd/system/multi-user.target.wants/* etc/systemd/system/*.wants/* \
        usr/lib/systemd/system/local-fs.target.wants/* usr/lib/systemd/system/sockets.target.wants/*udev* \
        usr/lib/systemd/system/sockets.target.wants/*initctl* usr/lib/systemd/system/basic.target.wants/* \
        var/cache/apt/* var/lib/apt/lists/* var/log/* var/cache/debconf/* etc/hostname etc/resolv.conf etc/machine-id
    printf "ReadKMsg=no\n" >>etc/systemd/journald.conf
    mkdir -p opt/cni etc/kubernetes/manifests
    ln -sfn /usr/lib/systemd/systemd sbin/init
    ln -sfn /dev/null etc/systemd/system/systemd-binfmt.service
    ln -sfn /usr/lib/cni opt/cni/bin'

build_debian() { # folder
    local options=() pattern begin=$SECONDS list
    [ "$(id -u)" = 0 ] || die "building a node image needs root; build it where you are root and \`docker load\` the tar, or set DOMICILE_NODE_IMAGE to one that can be pulled"
    need mmdebstrap mmdebstrap
    for pattern in "${dropped[@]}"; do options+=(--dpkgopt="path-exclude=$pattern"); done
    for pattern in "${kept[@]}"; do options+=(--dpkgopt="path-include=$pattern"); done
    list=$(IFS=,; printf '%s' "${packages[*]}")
    say "building a Debian with ${#packages[@]} packages"
    mmdebstrap --quiet --mode=root --variant=minbase --include="$list" "${options[@]}" \
        --aptopt='Acquire::Languages "none"' --customize-hook="$strip" "$suite" "$1/debian.tar" >&2
    say "built Debian: $((SECONDS - begin)) s"
}

# The layer's folder in the cache.
debian() {
    local key
    key=$(key_of "$(go env GOARCH)" -- node-image/lib/debian.sh)
    once "debian-$key" build_debian
}
