# Container images without a container engine: the format of `docker save`, which `docker load` and containerd read.
# shellcheck shell=bash

# A folder as a layer, the same bytes each time.
layer() { # folder target
    # A folder made by mktemp is its owner's only, and a program of another user must see its own root.
    chmod 755 "$1"
    tar --sort=name --mtime=@0 --numeric-owner --owner=0 --group=0 -C "$1" -cf "$2" .
}

# An image named NAME from layers, lowest first. CONFIG is the inside of the configuration's "config" object.
archive() { # target name config layers...
    local target=$1 name=$2 config=$3 scratch sum file ids=() files=() arch
    shift 3
    [ -n "$name" ] || die "${target##*/} has no name: what kubeadm or a manifest asks for has changed"
    scratch=$(mktemp -d "$(dirname "$target")/.archive.XXXXXX")
    for file in "$@"; do
        sum=$(sha256sum "$file" | cut -d ' ' -f 1)
        # The name is that of what is inside, compressed or not.
        [ ! -f "$file.zst" ] || file=$file.zst
        ln -f "$file" "$scratch/$sum.tar"
        ids+=("\"sha256:$sum\"")
        files+=("\"$sum.tar\"")
    done
    arch=$(go env GOARCH)
    printf '{"architecture":"%s","os":"linux","created":"1970-01-01T00:00:00Z","config":{%s},"rootfs":{"type":"layers","diff_ids":[%s]}}' \
        "$arch" "$config" "$(join "${ids[@]}")" >"$scratch/config.json"
    sum=$(sha256sum "$scratch/config.json" | cut -d ' ' -f 1)
    mv "$scratch/config.json" "$scratch/$sum.json"
    printf '[{"Config":"%s.json","RepoTags":["%s"],"Layers":[%s]}]' "$sum" "$name" "$(join "${files[@]}")" >"$scratch/manifest.json"
    layer "$scratch" "$target"
    rm -rf "$scratch"
}

join() {
    local IFS=,
    printf '%s' "$*"
}

# An image whose whole content is a folder.
tree_image() { # target name config folder
    local scratch
    scratch=$(mktemp -d "$(dirname "$1")/.tree.XXXXXX")
    layer "$4" "$scratch/layer.tar"
    # Each cluster copies its images and unpacks them, which is four times less to copy. Old engines can't load it.
    [ -z "${SQUEEZE:-}" ] || zstd -q -T0 -3 "$scratch/layer.tar"
    archive "$1" "$2" "$3" "$scratch/layer.tar"
    rm -rf "$scratch"
}

readonly path_env='"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"WorkingDir":"/"'

# An image of one static program: `FROM scratch`, and a few folders that programs expect.
program_image() { # target name program path
    local root
    root=$(mktemp -d "$(dirname "$1")/.program.XXXXXX")
    mkdir -p "$root/etc" "$root/$(dirname "$4")"
    mkdir -m 1777 "$root/tmp"
    # Go's programs ask who they are.
    printf 'root:x:0:0:root:/:/bin/false\n' >"$root/etc/passwd"
    install -m 755 "$3" "$root/$4"
    tree_image "$1" "$2" "\"Entrypoint\":[\"$4\"],$path_env" "$root"
    rm -rf "$root"
}
