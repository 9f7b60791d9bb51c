#!/usr/bin/env bash
# Brings the binaries of the local control plane and prints the folder that holds them.
#
# Each one is taken from KUBEBUILDER_ASSETS if that is set, else from the cache, else from the published
# archives where they can be reached, else built from Go modules (about 5 minutes, once). Idempotent.
# Redis comes from the PATH or from the system's package manager; so do Postgres and libfaketime, which only tests and
# benchmarks need and which are brought by `hack/assets.sh postgres` and `hack/assets.sh faketime`.
set -euo pipefail

KUBE_VERSION=1.36.3
ETCD_VERSION=3.7.3
cache=${TOLLGATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tollgate}
bin=$cache/bin/kubernetes-$KUBE_VERSION
build=$cache/build
mkdir -p "$bin" "$build"
say() { echo "assets: $*" >&2; }

os=$(go env GOOS 2>/dev/null || uname -s | tr '[:upper:]' '[:lower:]')
arch=$(go env GOARCH 2>/dev/null || uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')

from_assets() { # the folder a developer already has, as controller-runtime's envtest names it
  [ -n "${KUBEBUILDER_ASSETS:-}" ] && [ -x "$KUBEBUILDER_ASSETS/$1" ] && ln -sf "$KUBEBUILDER_ASSETS/$1" "$bin/$1"
}

fetch() { curl -fsSL --connect-timeout 3 --retry 0 "$@" 2>/dev/null; }

from_archive() { # the archive of envtest; it has no controller manager, which the release site serves alone
  [ "${TOLLGATE_NO_DOWNLOAD:-}" = "" ] || return 1
  if [ "$1" = kube-controller-manager ]; then
    fetch -o "$bin/$1.part" "https://dl.k8s.io/v$KUBE_VERSION/bin/$os/$arch/$1" || return 1
    chmod +x "$bin/$1.part" && mv "$bin/$1.part" "$bin/$1"
    return
  fi
  local archive=$build/envtest.tar.gz
  fetch -o "$archive" \
    "https://github.com/kubernetes-sigs/controller-tools/releases/download/envtest-v$KUBE_VERSION/envtest-v$KUBE_VERSION-$os-$arch.tar.gz" || return 1
  tar -xzf "$archive" -C "$bin" --strip-components=2 && [ -x "$bin/$1" ]
}

need_go() {
  command -v go >/dev/null || { say "$1 is missing. Set KUBEBUILDER_ASSETS to a folder that has it, or install Go 1.26 so that it can be built."; exit 1; }
}

# Runs a long build and says every 20 seconds that it still goes on.
with_progress() {
  local label=$1 log=$build/$1.log started=$SECONDS; shift
  "$@" >"$log" 2>&1 & local pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    for _ in $(seq 20); do sleep 1; kill -0 "$pid" 2>/dev/null || break; done
    kill -0 "$pid" 2>/dev/null && say "building $label, $((SECONDS - started)) s so far"
  done
  wait "$pid" || { say "building $label failed; the log is $log"; tail -5 "$log" >&2; exit 1; }
  say "built $label in $((SECONDS - started)) s"
}

kube_module() { # kubernetes' staging modules are required at v0.0.0 and published as v0.MINOR.PATCH
  local dir=$build/kubernetes-$KUBE_VERSION source
  [ -f "$dir/go.sum" ] && { cd "$dir"; return; }
  mkdir -p "$dir" && cd "$dir"
  source=$(go mod download -json "k8s.io/kubernetes@v$KUBE_VERSION" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  {
    echo "module tollgate.dev/hack/kubernetes"
    grep '^go ' "$source/go.mod"
    echo "require k8s.io/kubernetes v$KUBE_VERSION"
    echo "replace ("
    awk '$1 ~ /^k8s.io\// && $2 == "v0.0.0" { print $1 }' "$source/go.mod" | sort -u |
      while read -r module; do echo "  $module => $module v0.${KUBE_VERSION#1.}"; done
    echo ")"
  } >go.mod
  {
    echo "//go:build tools"
    echo "package kubernetes"
    for command in kube-apiserver kube-controller-manager kubectl; do echo "import _ \"k8s.io/kubernetes/cmd/$command\""; done
  } >tools.go
  go mod tidy
}

build_kube() {
  kube_module
  local version=k8s.io/component-base/version minor=${KUBE_VERSION#1.}
  CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -mod=mod -trimpath -o "$bin/$1.part" \
    -ldflags "-s -w -X $version.gitVersion=v$KUBE_VERSION -X $version.gitMajor=1 -X $version.gitMinor=${minor%%.*} -X $version.gitTreeState=clean -X $version.gitCommit=unknown -X $version.buildDate=1970-01-01T00:00:00Z" \
    "k8s.io/kubernetes/cmd/$1"
  mv "$bin/$1.part" "$bin/$1"
}

build_etcd() {
  local dir=$build/etcd-$ETCD_VERSION
  mkdir -p "$dir" && cd "$dir"
  printf 'module tollgate.dev/hack/etcd\n\ngo 1.26\n\nrequire go.etcd.io/etcd/server/v3 v%s\n' "$ETCD_VERSION" >go.mod
  printf 'package main\n\nimport (\n\t"os"\n\n\t"go.etcd.io/etcd/server/v3/etcdmain"\n)\n\nfunc main() { etcdmain.Main(os.Args) }\n' >main.go
  go mod tidy
  CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -mod=mod -trimpath -ldflags '-s -w' -o "$bin/etcd.part" .
  mv "$bin/etcd.part" "$bin/etcd"
}

redis() {
  command -v redis-server >/dev/null && return
  say "redis-server is not on the PATH; installing it with the system's package manager"
  if command -v apt-get >/dev/null; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server; } >"$build/redis.log" 2>&1 ||
      { say "installing redis-server failed; the log is $build/redis.log. Install Redis 7 or Valkey and run this again."; exit 1; }
  elif command -v brew >/dev/null; then brew install redis >&2
  elif command -v dnf >/dev/null; then dnf install -y redis >&2
  else say "Install Redis 7 or Valkey so that redis-server is on the PATH, then run this again."; exit 1; fi
}

faketime() { # what cannot be installed is the failure of the one test that needs it
  local file
  for file in /usr/lib*/faketime/libfaketime.so.1 /usr/lib/*/faketime/libfaketime.so.1 /usr/local/lib/faketime/libfaketime.so.1; do
    [ -e "$file" ] && return
  done
  say "libfaketime is not installed; installing it with the system's package manager"
  if command -v apt-get >/dev/null; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libfaketime; } >"$build/faketime.log" 2>&1
  elif command -v dnf >/dev/null; then dnf install -y libfaketime >"$build/faketime.log" 2>&1
  else false; fi || say "it could not be installed: test/chaos/rollover.test.ts will fail"
}

postgres() { # without the database server that Debian's package would start by itself
  command -v initdb >/dev/null && return
  compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null && return
  say "Postgres is not installed; installing it with the system's package manager"
  if command -v apt-get >/dev/null; then
    {
      apt-get update -qq
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-common
      mkdir -p /etc/postgresql-common/createcluster.d
      echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/tollgate.conf
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql
    } >"$build/postgres.log" 2>&1 ||
      { say "installing postgresql failed; the log is $build/postgres.log. Install Postgres 15 or later and run this again."; exit 1; }
  elif command -v brew >/dev/null; then brew install postgresql >&2
  elif command -v dnf >/dev/null; then dnf install -y postgresql-server >&2
  else say "Install Postgres 15 or later so that postgres and initdb are on the PATH, then run this again."; exit 1; fi
}

# One at a time: two test runs that start together must not build the same thing twice.
exec 9>"$cache/assets.lock"
if command -v flock >/dev/null; then flock 9; fi
case "${1:-}" in postgres | faketime) "$1"; exit ;; esac

announced=
for binary in etcd kube-apiserver kube-controller-manager kubectl; do
  [ -x "$bin/$binary" ] && [ -z "${KUBEBUILDER_ASSETS:-}" ] && continue
  from_assets "$binary" && continue
  [ -x "$bin/$binary" ] && continue
  from_archive "$binary" && { say "downloaded $binary"; continue; }
  need_go "$binary"
  if [ -z "$announced" ]; then
    say "building the control plane from Go modules: about 5 minutes on 2 cores, once; it is kept in $cache"
    announced=yes
  fi
  if [ "$binary" = etcd ]; then with_progress etcd build_etcd; else with_progress "$binary" build_kube "$binary"; fi
done
redis
echo "$bin"
