#!/usr/bin/env bash
# Builds the images that a local node runs, without pulling any, and prints the files that hold them.
#
#   hack/release/images.sh              Tollgate of this tree, from the Dockerfile
#   hack/release/images.sh all          also the tests of this tree, Redis, Postgres, CoreDNS and pause
#
# Bases are made from Debian's packages and kept in the cache. Tollgate's own images are rebuilt when a source has changed.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cache=${TOLLGATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tollgate}
bases=$cache/images
own=$root/.run/images
version=$(node -p "require('$root/package.json').version")
export BUILDAH_ISOLATION=chroot
mkdir -p "$bases" "$own"
say() { echo "images: $*" >&2; }

PATH=$("$root/hack/assets/assets.sh" node):$PATH
buildah() { command buildah --root "$cache/containers/storage" --runroot "$cache/containers/run" --storage-driver overlay "$@"; }

# Extracts Debian packages with what they depend on, and leaves out what no container needs: rootfs FOLDER PACKAGES
rootfs() {
  rm -rf "$1"
  mmdebstrap --variant=extract --include="$2,busybox-static" bookworm "$1" >"$cache/build/mmdebstrap.log" 2>&1 ||
    { say "Debian's packages $2 could not be unpacked; the log is $cache/build/mmdebstrap.log"; exit 1; }
  rm -rf "$1"/usr/share/{doc,man,locale,lintian,info,i18n,perl} "$1"/usr/lib/*/{perl,perl-base} "$1"/usr/lib/*/libLLVM* \
    "$1"/usr/lib/postgresql/*/lib/{bitcode,llvmjit*} "$1"/usr/bin/psql "$1"/var/{cache,lib/apt,lib/dpkg,log} "$1"/dev/*
  mkdir -p "$1"/{app,data,dev,etc,proc,run,sys,tmp,usr/local/bin}
  chmod 1777 "$1/tmp"
  # The ids that the published images of Redis and Postgres run as, and ours.
  printf '%s:x:%s::/tmp:/bin/sh\n' root 0:0 redis 999:1000 postgres 999:999 nonroot 65532:65532 >"$1/etc/passwd"
  printf '%s:x:%s:\n' root 0 redis 1000 postgres 999 nonroot 65532 >"$1/etc/group"
  local program
  for program in cat chmod cp env find grep head id kill ls mkdir ps rm sed sh sleep tail tar test touch xargs; do
    [ -e "$1/bin/$program" ] || ln -s /bin/busybox "$1/bin/$program"
  done
  ln -s /bin/busybox "$1/usr/bin/env"
}

# Lays a folder over an image: layer BASE NAME FOLDER CONFIGURATION...
layer() {
  local base=$1 name=$2 folder=$3 container; shift 3
  container=$(buildah from --pull-never "$base")
  buildah copy -q "$container" "$folder" / >/dev/null
  buildah config "$@" "$container"
  buildah commit -q --timestamp 0 --rm "$container" "$name" >/dev/null
  rm -rf "$folder"
}

# Writes an image as what containerd imports: archive FILE ID NAME
archive() {
  rm -f "$1.part"
  buildah push -q "$2" "docker-archive:$1.part:$3" && mv "$1.part" "$1"
}

# A base that is kept until its recipe changes: base NAME RECIPE, where the recipe makes the image registry.local/NAME.
base() {
  local file=$bases/${1/:/-}.tar recipe
  recipe=$({ declare -f "$2" debian program rootfs layer; node --version; type -P coredns; } | sha256sum)
  [ "$(cat "$file.recipe" 2>/dev/null)" = "$recipe" ] && return
  say "building $1"
  "$2" "registry.local/$1"
  archive "$file" "registry.local/$1" "registry.local/$1"
  echo "$recipe" >"$file.recipe"
}

debian() { # NAME PACKAGES CONFIGURATION...
  local name=$1 folder=$cache/build/rootfs packages=$2; shift 2
  rootfs "$folder" "$packages"
  layer scratch "$name" "$folder" --user 65532:65532 "$@"
}

redis() { debian "$1" redis-server --workingdir /data --entrypoint '["redis-server"]' --cmd ''; }

postgres() { debian "$1" postgresql-15 --workingdir /tmp --env PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin --cmd postgres; }

program() { # NAME PROGRAM USER
  local folder=$cache/build/rootfs
  rm -rf "$folder" && mkdir -p "$folder" && cp "$(type -P "$2")" "$folder/$2"
  layer scratch "$1" "$folder" --entrypoint "[\"/$2\"]" --user "$3"
}

pause() { program "$1" pause 65535:65535; }
coredns() { program "$1" coredns 65532:65532; }

node_base() {
  local folder=$cache/build/rootfs
  rootfs "$folder" libc6,libstdc++6,libgcc-s1,tzdata
  strip -o "$folder/usr/local/bin/node" "$(node -p process.execPath)"
  layer scratch "$1" "$folder" --user 65532:65532 --workingdir /app --env PATH=/usr/local/bin:/usr/bin:/bin
}

node_build_base() { # npm, and the certificates that this machine trusts
  local folder=$cache/build/rootfs
  rm -rf "$folder" && mkdir -p "$folder"/usr/local/{bin,lib} "$folder/etc/ssl"
  cp -r "$(dirname "$(dirname "$(realpath "$(type -P npm)")")")" "$folder/usr/local/lib/npm"
  ln -s ../lib/npm/bin/npm-cli.js "$folder/usr/local/bin/npm"
  cp /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/ca.pem"
  layer registry.local/node:24 "$1" "$folder" --user 0 --env NODE_EXTRA_CA_CERTS=/etc/ssl/ca.pem
}

# Builds an image of this tree: tree NAME DOCKERFILE BASE
tree() {
  local name=$1 file=$own/${1%%:*}.tar id=$own/${1%%:*}.id log=$own/${1%%:*}.log before
  before=$(cat "$id" 2>/dev/null || true)
  say "building $name"
  buildah bud -q --layers --pull-never --network host --iidfile "$id" -f "$2" \
    --build-arg BUILD_BASE=registry.local/node-build:24 --build-arg "BASE=$3" "$root" >"$log" 2>&1 ||
    { say "building $name failed; the end of $log:"; tail -20 "$log" >&2; exit 1; }
  [ -e "$file" ] && [ "$(cat "$id")" = "$before" ] || archive "$file" "$(cat "$id")" "registry.local/$name"
  echo "$file"
}

others=()
[ "${1:-}" != all ] || others=(redis:7 postgres:15 coredns:1 pause:1)
{
  flock 9 # trees share the bases
  base node:24 node_base
  base node-build:24 node_build_base
  for name in "${others[@]}"; do
    base "$name" "${name%:*}"
    echo "$bases/${name/:/-}.tar"
  done
} 9>"$cache/images.lock"
tree "tollgate:$version" "$root/Dockerfile" registry.local/node:24
[ "${1:-}" != all ] || tree tollgate-test:1 "$root/hack/release/test.Dockerfile" "$(cat "$own/tollgate.id")"
