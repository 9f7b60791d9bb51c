# The control plane's and the node's Kubernetes programs, and etcd: all of one version. Sourced by hack/assets/assets.sh.

KUBE_VERSION=1.36.3
ETCD_VERSION=3.7.3
bin=$cache/bin/kubernetes-$KUBE_VERSION
mkdir -p "$bin"

from_assets() { # the folder a developer already has, as controller-runtime's envtest names it
  [ -n "${KUBEBUILDER_ASSETS:-}" ] && [ -x "$KUBEBUILDER_ASSETS/$1" ] && ln -sf "$KUBEBUILDER_ASSETS/$1" "$bin/$1"
}

from_archive() { # the archive of envtest has what a control plane needs but for one; the release site serves the others
  case $1 in etcd | kube-apiserver | kubectl) ;; *)
    fetch_program "$bin" "$1" "https://dl.k8s.io/v$KUBE_VERSION/bin/$os/$arch/$1"
    return
  ;; esac
  local archive=$build/envtest.tar.gz
  fetch -o "$archive" \
    "https://github.com/kubernetes-sigs/controller-tools/releases/download/envtest-v$KUBE_VERSION/envtest-v$KUBE_VERSION-$os-$arch.tar.gz" || return 1
  tar -xzf "$archive" -C "$bin" --strip-components=2 && [ -x "$bin/$1" ]
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
  go_build "$bin" "$1" "k8s.io/kubernetes/cmd/$1" \
    "-X $version.gitVersion=v$KUBE_VERSION -X $version.gitMajor=1 -X $version.gitMinor=${minor%%.*} -X $version.gitTreeState=clean -X $version.gitCommit=unknown -X $version.buildDate=1970-01-01T00:00:00Z"
}

build_etcd() {
  go_module "etcd-$ETCD_VERSION" go.etcd.io/etcd/server/v3 "$ETCD_VERSION"
  printf 'package main\n\nimport (\n\t"os"\n\n\t"go.etcd.io/etcd/server/v3/etcdmain"\n)\n\nfunc main() { etcdmain.Main(os.Args) }\n' >main.go
  go mod tidy
  go_build "$bin" etcd .
}

# Brings the programs that are named: kubernetes NAME...
kubernetes() {
  local announced= binary
  for binary; do
    [ -x "$bin/$binary" ] && [ -z "${KUBEBUILDER_ASSETS:-}" ] && continue
    from_assets "$binary" && continue
    [ -x "$bin/$binary" ] && continue
    from_archive "$binary" && { say "downloaded $binary"; continue; }
    need_go "$binary" "a folder that KUBEBUILDER_ASSETS names"
    if [ -z "$announced" ]; then
      say "building parts of Kubernetes from Go modules: minutes on 2 cores, once; they are kept in $cache"
      announced=yes
    fi
    if [ "$binary" = etcd ]; then with_progress etcd build_etcd; else with_progress "$binary" build_kube "$binary"; fi
  done
}
