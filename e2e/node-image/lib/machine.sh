# What this machine lets a container engine do. Each finding that can't be handled is one sentence with what to do.
# shellcheck shell=bash

# CAP_SYS_RESOURCE is bit 24. Some virtual machines take it even from root.
may_raise_limits() {
    local capabilities
    capabilities=$(awk '/^CapEff/ { print $2 }' /proc/self/status)
    ((0x$capabilities >> 24 & 1))
}

cgroup_version() {
    if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
        echo 2
    elif [ -d /sys/fs/cgroup/memory ] && [ -d /sys/fs/cgroup/devices ]; then
        echo 1
    fi
}

# overlay2 if overlayfs can be mounted over that folder, else a full copy of each layer and container.
storage_driver() { # folder
    local try
    try=$(mktemp -d "$1/overlay.XXXXXX")
    mkdir "$try"/{lower,upper,work,merged}
    if mount -t overlay overlay -o "lowerdir=$try/lower,upperdir=$try/upper,workdir=$try/work" "$try/merged" 2>/dev/null; then
        umount "$try/merged"
        echo overlay2
    else
        say "there is no overlayfs on $1: images are copied for each container, which takes gigabytes and minutes"
        echo vfs
    fi
    rm -rf "$try"
}

check_machine() {
    [ -n "$(cgroup_version)" ] ||
        die "no cgroups are mounted at /sys/fs/cgroup: mount them (on Debian, the package cgroupfs-mount does)"
    iptables -t nat -S >/dev/null 2>&1 ||
        die "this kernel has no address translation for iptables: use one with CONFIG_NF_NAT and CONFIG_NFT_COMPAT"
    if command -v iptables-nft >/dev/null && ! iptables-nft -t nat -S >/dev/null 2>&1; then
        die "this kernel has no nftables, which kube-proxy needs in a node: use one with CONFIG_NF_TABLES"
    fi
}
