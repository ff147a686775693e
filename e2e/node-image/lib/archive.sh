# Container images without a container engine: the format of `docker save`, which `docker load` and containerd read.
# shellcheck shell=bash

# A folder as a layer, the same bytes each time.
layer() { # folder target
    tar --sort=name --mtime=@0 --numeric-owner --owner=0 --group=0 -C "$1" -cf "$2" .
}

# An image named NAME from layers, lowest first. CONFIG is the inside of the configuration's "config" object.
archive() { # target name config layers...
    local target=$1 name=$2 config=$3 scratch sum file ids=() files=() arch
    shift 3
    scratch=$(mktemp -d "$(dirname "$target")/.archive.XXXXXX")
    for file in "$@"; do
        sum=$(sha256sum "$file" | cut -d ' ' -f 1)
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

# An image of one static program: `FROM scratch`, and a few folders that programs expect.
program_image() { # target name program path
    local root
    root=$(mktemp -d "$(dirname "$1")/.program.XXXXXX")
    chmod 755 "$root"
    mkdir -p "$root/etc" "$root/$(dirname "$4")"
    # Some resolvers ask DNS for localhost without it.
    printf 'root:x:0:0:root:/:/bin/false\n' >"$root/etc/passwd"
    mkdir -m 1777 "$root/tmp"
    install -m 755 "$3" "$root/$4"
    layer "$root" "$root.tar"
    archive "$1" "$2" "\"Entrypoint\":[\"$4\"],\"Env\":[\"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"],\"WorkingDir\":\"/\"" "$root.tar"
    rm -rf "$root" "$root.tar"
}
