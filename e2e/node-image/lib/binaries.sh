# The programs that go into the image, each from a pinned Go module, and kind itself.
# shellcheck shell=bash

# Makes the programs the same everywhere, whatever the caller's environment says.
go_build() { # folder target flags... packages...
    local folder=$1 target=$2 begin=$SECONDS
    shift 2
    (cd "$folder" && CGO_ENABLED=0 GOFLAGS=-mod=readonly GOWORK=off go build -trimpath -buildvcs=false -o "$target" "$@") >&2
    say "built ${target##*/} from ${folder##*/}: $((SECONDS - begin)) s"
}

# The version of a module, as its go.mod pins it.
pinned() { # folder module
    awk -v module="$2" '$1 == module && $2 ~ /^v/ { print $2; exit }' "$1/go.mod"
}

kubernetes_version() {
    pinned "$controlplane/kubernetes" k8s.io/kubernetes
}

# The folder of a module's sources, downloaded if need be.
module_source() { # folder module
    (cd "$1" && GOFLAGS=-mod=readonly GOWORK=off go mod download "$2" && go list -m -f '{{.Dir}}' "$2")
}

# Without the version in them, Kubernetes' programs call themselves v0.0.0, and kubeadm refuses.
kubernetes_ldflags() {
    local version minor base=k8s.io/component-base/version
    version=$(kubernetes_version)
    minor=${version#v1.}
    printf -- '-s -w -X %s.gitVersion=%s -X %s.gitMajor=1 -X %s.gitMinor=%s -X k8s.io/client-go/pkg/version.gitVersion=%s' \
        $base "$version" $base $base "${minor%%.*}" "$version"
}

go_toolchain() {
    command -v go >/dev/null || die "go is missing: install Go (CONTRIBUTING.md says which)"
    (cd "$controlplane/kubernetes" && go env GOVERSION GOARCH) | tr '\n' ' '
}

build_binaries() { # folder
    local modules=$here/modules bin=$1 program ldflags
    local containerd=github.com/containerd/containerd/v2/cmd provisioner=github.com/rancher/local-path-provisioner
    say "building Kubernetes, containerd and what else a node needs from source; the first time this takes some 15 minutes on two cores"
    ldflags=$(kubernetes_ldflags)
    for program in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubeadm kubectl; do
        go_build "$controlplane/kubernetes" "$bin/$program" -ldflags "$ldflags" "k8s.io/kubernetes/cmd/$program"
    done
    go_build "$controlplane/etcd" "$bin/etcd" -ldflags '-s -w' go.etcd.io/etcd/server/v3
    for program in containerd containerd-shim-runc-v2 ctr; do
        go_build "$modules/containerd" "$bin/$program" -ldflags '-s -w' \
            -tags 'no_btrfs no_devmapper no_zfs' "$containerd/$program"
    done
    go_build "$modules/coredns" "$bin/coredns" -ldflags '-s -w' .
    go_build "$modules/local-path-provisioner" "$bin/local-path-provisioner" \
        -ldflags "-s -w -X main.VERSION=$(pinned "$modules/local-path-provisioner" "$provisioner")" "$provisioner"
    build_pause "$bin"
}

build_pause() { # folder
    command -v cc >/dev/null || die "cc is missing: install a C compiler"
    cc -Os -s -static -Wall -Werror -o "$1/pause" "$here/pause/pause.c"
}

# The programs' folder in the cache.
binaries() {
    local key
    key=$(key_of "$(go_toolchain)" -- node-image/modules node-image/pause node-image/lib/binaries.sh \
        controlplane/kubernetes controlplane/etcd)
    once "binaries-$key" build_binaries
}

# What is wanted whichever node image is used: kind, and kubectl of the pinned version.
build_tools() { # folder
    go_build "$here/modules/kind" "$1/kind" -ldflags '-s -w' sigs.k8s.io/kind
    go_build "$here/runtime" "$1/runtime" -ldflags '-s -w' .
    go_build "$here/app" "$1/app" -ldflags '-s -w' .
}

tools() {
    local key
    key=$(key_of "$(go_toolchain)" -- node-image/modules/kind node-image/app node-image/runtime node-image/lib/binaries.sh)
    once "tools-$key" build_tools
}
