# The node image itself, from what the other files here make.
# shellcheck shell=bash

# The images that kubeadm starts as static pods and addons, each one program, and those of our volumes.
container_images() { # binaries debian-root target
    local bin=$1 debian=$2 target=$3 list name config root version SQUEEZE=true
    version=$(kubernetes_version)
    list=$("$bin/kubeadm" config images list --kubernetes-version "$version" 2>/dev/null)
    config=$(kind_files)/etc/containerd/config.toml
    for name in kube-apiserver kube-controller-manager kube-scheduler etcd coredns; do
        program_image "$target/$name.tar" "$(grep "/$name:" <<<"$list")" "$bin/$name" "$(program_path $name)"
    done
    # Not kubeadm's: the one that containerd's configuration pins.
    program_image "$target/pause.tar" "$(sed -n 's/.*sandbox_image = "\(.*\)"/\1/p' "$config")" "$bin/pause" /pause
    name=local-path-provisioner
    program_image "$target/$name.tar" "$(storage_image $name)" "$bin/$name" "$(program_path $name)"
    root=$(mktemp -d "$target/root.XXXXXX")
    kube_proxy_root "$bin" "$debian" "$root"
    tree_image "$target/kube-proxy.tar" "$(grep /kube-proxy: <<<"$list")" "$path_env" "$root"
    shell_root "$debian" "$root"
    tree_image "$target/local-path-helper.tar" "$(storage_image local-path-helper)" "$path_env" "$root"
    rm -rf "$root"
}

# Where the manifests expect a program.
program_path() { # name
    case $1 in
        coredns) printf /coredns ;;
        *) printf '/usr/local/bin/%s' "$1" ;;
    esac
}

storage_image() { # name
    grep -oE "localhost/$1:[a-z0-9.]+" "$here/files/kind/manifests/default-storage.yaml" | sed -n 1p
}

# kube-proxy calls nft, which isn't static.
kube_proxy_root() { # binaries debian-root target
    local files
    mapfile -t files < <(chroot "$2" ldd /usr/sbin/nft | grep -oE '/[^ )]+' | sed 's|^/||')
    [ ${#files[@]} -gt 0 ] || die "cannot find out which libraries nft needs"
    tar -C "$2" -hcf - usr/sbin/nft "${files[@]}" | tar -C "$3" -xf -
    mkdir -p "$3/usr/local/bin" "$3/run"
    install -m 755 "$1/kube-proxy" "$3/usr/local/bin/"
}

# A shell with mkdir and rm, by which the provisioner makes and removes the folders of volumes.
shell_root() { # debian-root target
    local name
    rm -rf "${2:?}"/*
    mkdir -p "$2/bin"
    install -m 755 "$1/usr/bin/busybox" "$2/bin/"
    for name in sh mkdir rm; do ln -s busybox "$2/bin/$name"; done
}

# kind's own files of a node: entrypoint, units, containerd's configuration. They fit its version.
kind_files() {
    local source
    source=$(module_source "$here/modules/kind" sigs.k8s.io/kind)
    printf '%s/images/base/files\n' "$source"
}

# Puts images where a node's containerd finds them, as `ctr import` in a node would. It needs no privilege.
preload() { # binaries images target
    local bin=$1 images=$2 state image pid
    state=$(mktemp -d "$images/state.XXXXXX")
    # Only the content store and the index of images; CRI and snapshotters want a real node.
    cat >"$state/config.toml" <<'CONFIG'
version = 3
disabled_plugins = [
    "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri",
    "io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.restart",
    "io.containerd.snapshotter.v1.erofs", "io.containerd.snapshotter.v1.blockfile",
]
CONFIG
    "$bin/containerd" --config "$state/config.toml" --root "$state/root" --state "$state/state" \
        --address "$state/socket" --log-level warn >"$state/log" 2>&1 &
    pid=$!
    # shellcheck disable=SC2064 # this process, whatever `pid` is later
    trap "kill $pid 2>/dev/null" EXIT
    until_answers 60 "$bin/ctr" --address "$state/socket" version || die "containerd doesn't start: $(tail -n 3 "$state/log")"
    for image in "$images"/*.tar; do
        "$bin/ctr" --address "$state/socket" --namespace k8s.io images import --no-unpack "$image" >"$state/import" 2>&1 ||
            die "containerd doesn't take ${image##*/}: $(tail -n 3 "$state/import")"
    done
    kill $pid
    wait $pid || true
    trap - EXIT
    mkdir -p "$3"
    mv "$state/root/io.containerd.content.v1.content" "$state/root/io.containerd.metadata.v1.bolt" "$3/"
    rm -rf "$state"
}

# Waits until a command succeeds, for so many seconds.
until_answers() { # seconds command...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

# The node's programs, where kind and the units expect them.
programs_layer() { # binaries root
    local name
    mkdir -p "$2/usr/bin" "$2/usr/local/bin"
    for name in kubelet kubeadm kubectl; do install -m 755 "$1/$name" "$2/usr/bin/"; done
    for name in containerd containerd-shim-runc-v2 ctr; do install -m 755 "$1/$name" "$2/usr/local/bin/"; done
}

# kind's files, then ours over them.
files_layer() { # binaries root
    local unit kinds
    kinds=$(kind_files)
    cp -a --no-preserve=ownership "$kinds/." "$2/"
    # The module cache is read-only and has no executable files.
    chmod -R u=rwX,go=rX "$2"
    cp -a --no-preserve=ownership "$here/files/." "$2/"
    chmod 755 "$2"/usr/local/bin/* "$2"/kind/bin/*
    rm "$2/usr/local/bin/clean-install" "$2/etc/systemd/system/containerd-fuse-overlayfs.service"
    mkdir -p "$2/etc/systemd/system/multi-user.target.wants"
    for unit in kubelet containerd undo-mount-hacks; do
        ln -s "../$unit.service" "$2/etc/systemd/system/multi-user.target.wants/"
    done
    kubernetes_version >"$2/kind/version"
    # As kind's Dockerfile makes it: each container sees the node's product files, not the machine's.
    "$1/ctr" oci spec |
        jq '.hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' \
            >"$2/etc/containerd/cri-base.json"
}

build_node() { # folder
    local target=$1 debian bin name part layers begin=$SECONDS
    need jq jq
    need zstd zstd
    bin=$(binaries)
    debian=$(debian)/debian.tar
    mkdir -p "$target"/{system,images,programs,content/var/lib/containerd,files}
    tar -C "$target/system" -xf "$debian"
    container_images "$bin" "$target/system" "$target/images"
    preload "$bin" "$target/images" "$target/content/var/lib/containerd"
    programs_layer "$bin" "$target/programs"
    files_layer "$bin" "$target/files"
    layers=("$debian")
    name=$(node_name)
    # What changes most often comes last.
    for part in programs content files; do
        layer "$target/$part" "$target/$part.tar"
        layers+=("$target/$part.tar")
    done
    archive "$target/image.tar" "$name" "$path_env"',"StopSignal":"SIGRTMIN+3",'"$node_config" "${layers[@]}"
    rm -rf "$target"/{system,images,programs,content,files}{,.tar}
    say "built $name: $((SECONDS - begin)) s, $(du -m "$target/image.tar" | cut -f 1) MB"
}

readonly node_config='"Entrypoint":["/kind/bin/prepare","/usr/local/bin/entrypoint","/sbin/init"]'

# A hash of all that goes into the image.
node_key() {
    local toolchain
    toolchain=$(go_toolchain)
    key_of "$toolchain" -- node-image/modules node-image/pause node-image/lib/{archive,binaries,debian,node}.sh node-image/files \
        controlplane/kubernetes controlplane/etcd
}

node_name() {
    local key
    key=$(node_key)
    printf 'domicile/node:%s\n' "$key"
}
