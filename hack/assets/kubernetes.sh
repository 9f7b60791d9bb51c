# The programs of Kubernetes, all of one version, and etcd. Sourced by hack/assets/assets.sh.

KUBE_VERSION=1.36.3
bin=$cache/bin/kubernetes-$KUBE_VERSION
mkdir -p "$bin"

from_assets() { # the folder a developer already has, as controller-runtime's envtest names it
  [ -n "${KUBEBUILDER_ASSETS:-}" ] && [ -x "$KUBEBUILDER_ASSETS/$1" ] && ln -sf "$KUBEBUILDER_ASSETS/$1" "$bin/$1"
}

from_path() { # only kubectl, which may be one minor version older or newer than the API server
  local installed minor=${KUBE_VERSION#1.} skew
  [ "$1" = kubectl ] && installed=$(command -v kubectl) || return 1
  skew=$(("$("$installed" version --client 2>/dev/null | sed -n 's/^Client Version: v1\.\([0-9]*\)\..*/\1/p')" - ${minor%%.*}))
  [ "${skew#-}" -le 1 ] && ln -sf "$installed" "$bin/kubectl" && say "taking $installed"
}

from_archive() { # envtest's archive has etcd, kube-apiserver and kubectl; the release site serves the others
  case $1 in etcd | kube-apiserver | kubectl) ;; *)
    fetch_program "$bin" "$1" "https://dl.k8s.io/v$KUBE_VERSION/bin/$os/$arch/$1"
    return
  ;; esac
  local archive=$build/envtest.tar.gz
  fetch -o "$archive" \
    "https://github.com/kubernetes-sigs/controller-tools/releases/download/envtest-v$KUBE_VERSION/envtest-v$KUBE_VERSION-$os-$arch.tar.gz" || return 1
  tar -xzf "$archive" -C "$bin" --strip-components=2 && [ -x "$bin/$1" ]
}

# Enters a module with the requirements of Kubernetes itself, which include etcd's server: what both import is compiled
# once. Nothing is resolved, so only modules that are compiled are downloaded. The staging modules, which Kubernetes
# replaces by folders, are published as v0.MINOR.PATCH.
kube_module() {
  local source
  mkdir -p "$build/kubernetes-$KUBE_VERSION" && cd "$build/kubernetes-$KUBE_VERSION"
  source=$(go mod download -json "k8s.io/kubernetes@v$KUBE_VERSION" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  sed -e 's#^module .*#module tollgate.dev/hack/kubernetes#' -e "s#=> ./staging/src/\(.*\)#=> \1 v0.${KUBE_VERSION#1.}#" \
    -e "s# v0\.0\.0\$# v0.${KUBE_VERSION#1.}#" "$source/go.mod" >go.mod
  echo "require k8s.io/kubernetes v$KUBE_VERSION" >>go.mod
  cat "$source/go.sum" >go.sum
}

package_of() { if [ "$1" = etcd ]; then echo go.etcd.io/etcd/server/v3; else echo "k8s.io/kubernetes/cmd/$1"; fi; }

# Builds programs in one run of the compiler: build_kubernetes NAME...
build_kubernetes() {
  local name packages=() version=k8s.io/component-base/version minor=${KUBE_VERSION#1.}
  kube_module
  for name; do packages+=("$(package_of "$name")"); done
  for name in etcd kube-apiserver kube-controller-manager kubelet; do
    [ ! -x "$bin/$name" ] || [ -L "$bin/$name" ] || built+=("$(package_of "$name")")
  done
  go_build "$bin" \
    "-X $version.gitVersion=v$KUBE_VERSION -X $version.gitMajor=1 -X $version.gitMinor=${minor%%.*} -X $version.gitTreeState=clean -X $version.gitCommit=unknown -X $version.buildDate=1970-01-01T00:00:00Z" "${packages[@]}"
  [ ! -e "$bin/server" ] || mv "$bin/server" "$bin/etcd"
}

# Whether a program is there: a link to KUBEBUILDER_ASSETS may be to another folder than the last time.
has() { [ -x "$bin/$1" ] && [ -z "${KUBEBUILDER_ASSETS:-}" ]; }

# Brings the programs that are named: kubernetes NAME...
kubernetes() {
  local program missing=()
  for program; do has "$program" || missing+=("$program"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  lock kubernetes
  missing=()
  for program; do
    has "$program" && continue
    from_assets "$program" || [ -x "$bin/$program" ] || from_path "$program" && continue
    from_archive "$program" && { say "downloaded $program"; continue; }
    missing+=("$program")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  need_go "${missing[0]}" "a folder that KUBEBUILDER_ASSETS names"
  say "building ${missing[*]} from Go modules, once: minutes on 2 cores; they are kept in $cache"
  with_progress "${missing[*]}" build_kubernetes "${missing[@]}"
}
