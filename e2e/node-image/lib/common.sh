# What every script here uses. Sourced, never run.
# shellcheck shell=bash
set -euo pipefail
# Without this, a failure inside $(..) is passed over.
shopt -s inherit_errexit
# The order of files, and so each key, must not depend on where somebody lives.
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
controlplane=$here/../controlplane
cache=${XDG_CACHE_HOME:-$HOME/.cache}/domicile/node-image
readonly here controlplane cache

# Progress and errors go to stderr, results to stdout, since other programs read those.
say() {
    printf 'node-image: %s\n' "$*" >&2
}

die() {
    say "$*"
    exit 1
}

# Whether this process may install packages and start daemons. A person's own machine isn't ours to change.
may_install() {
    [ "$(id -u)" = 0 ] && { [ "${CI:-}" = true ] || [ "${INSTALL:-}" = true ]; }
}

# The option that every script here has.
allow_install() { # options...
    local option
    for option; do
        [ "$option" = --install ] || die "unknown option $option"
        export INSTALL=true
    done
}

# Makes sure that a Debian package's program is there, or says what is missing.
need() { # program package
    command -v "$1" >/dev/null && return
    may_install || die "$1 is missing: install the package $2, or call this as root with --install or CI=true"
    command -v apt-get >/dev/null || die "$1 is missing and this isn't Debian: install what has $1 (Debian: $2)"
    say "installing $2"
    # An old package list names versions that are gone.
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$2" >&2
}

# A key of files (their names too) and words: 64 bits are plenty to tell a handful of things apart.
key_of() { # words... -- files...
    local words=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        words+=("$1")
        shift
    done
    shift
    {
        printf '%s\0' "${words[@]}"
        (cd "$here/.." && find "$@" -type f -print0 | sort -z | xargs -0 sha256sum)
    } | sha256sum | cut -c 1-16
}

# The folder NAME in the cache. The first time, `make... FOLDER` fills it; one that is stopped halfway leaves nothing
# that would be taken for the whole, and two processes don't make the same thing at once.
once() { # name make...
    local folder=$cache/$1 name=$1
    shift
    if [ ! -d "$folder" ]; then
        mkdir -p "$cache"
        exec 9>"$folder.lock"
        if ! flock -n 9; then
            say "another process is making $name; waiting for it"
            flock 9
        fi
        if [ ! -d "$folder" ]; then
            rm -rf "$folder.unfinished"
            mkdir -p "$folder.unfinished"
            "$@" "$folder.unfinished"
            mv -T "$folder.unfinished" "$folder"
        fi
        exec 9>&-
    fi
    touch "$folder"
    printf '%s\n' "$folder"
}

# What nobody has used for two weeks goes: each image is most of a gigabyte.
prune() {
    local tag
    find "$cache" -mindepth 1 -maxdepth 1 -mtime +14 ! -name '*.lock' ! -name docker -exec rm -rf {} +
    for tag in $(docker images --format '{{.Tag}}' domicile/node); do
        # One that a cluster still uses stays.
        [ -d "$cache/$tag" ] || docker rmi "domicile/node:$tag" >/dev/null 2>&1 || true
    done
}
