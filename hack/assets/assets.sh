#!/usr/bin/env bash
# Makes the programs available that tests and the local clusters run, and prints their folders, separated as in a PATH.
#
#   hack/assets/assets.sh                 a local API server and Redis: what `make demo` needs
#   hack/assets/assets.sh control_plane   the same with the controllers of Kubernetes
#   hack/assets/assets.sh postgres        from the system's package manager; faketime and pgbouncer likewise
#   hack/assets/assets.sh helm            a tool of hack/assets/tools.sh; kubeconform and prometheus likewise
#   hack/assets/assets.sh crds            the CRDs of other projects whose kinds the chart can create
#   hack/assets/assets.sh node            all programs of a local node
#
# Each one is taken from the cache, else from its published archive where that can be reached, else built from Go
# modules (minutes, once). Those of the control plane may stand in KUBEBUILDER_ASSETS. Idempotent.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${TOLLGATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tollgate}
build=$cache/build
mkdir -p "$build"
os=$(go env GOOS 2>/dev/null || uname -s | tr '[:upper:]' '[:lower:]')
arch=$(go env GOARCH 2>/dev/null || uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')

. "$here/build.sh"
. "$here/kubernetes.sh"
. "$here/packages.sh"
. "$here/tools.sh"

api_server() {
  kubernetes etcd kube-apiserver kubectl
  redis
  echo "$bin"
}

control_plane() {
  kubernetes etcd kube-apiserver kube-controller-manager kubectl
  redis
  echo "$bin"
}

node() {
  node_packages
  kubernetes etcd kube-apiserver kube-controller-manager kubectl kube-scheduler kubelet kube-proxy
  local folders=$bin tool
  for tool in containerd coredns pause helm; do folders=$folders:$("$tool"); done
  echo "$folders"
}

case "${1:-api_server}" in
  api_server | control_plane | postgres | pgbouncer | faketime | node | helm | kubeconform | crds | prometheus) "${1:-api_server}" ;;
  *) say "there is no part \"$1\": leave it out, or name one of control_plane, postgres, pgbouncer, faketime, node, helm, kubeconform, crds, prometheus"; exit 1 ;;
esac
