# Programs of other projects that a node, the chart and the rules are run or checked with. Sourced by hack/assets/assets.sh.

CONTAINERD_VERSION=2.3.7
COREDNS_VERSION=1.15.0
HELM_VERSION=4.3.1
KUBECONFORM_VERSION=0.8.0
GATEWAY_API_VERSION=1.6.3
PROMETHEUS_OPERATOR_VERSION=0.85.0
PROMETHEUS_VERSION=3.5.0

# Each of these functions brings a tool and prints the folder that holds it.

helm() {
  local folder=$cache/bin/helm-$HELM_VERSION
  mkdir -p "$folder"
  [ -x "$folder/helm" ] || lock helm
  [ -x "$folder/helm" ] ||
    fetch_member "$folder" helm "https://get.helm.sh/helm-v$HELM_VERSION-$os-$arch.tar.gz" "$os-$arch/helm" ||
    go_programs "$folder" "$HELM_VERSION" helm.sh/helm/v4/cmd/helm
  echo "$folder"
}

kubeconform() {
  local folder=$cache/bin/kubeconform-$KUBECONFORM_VERSION module=github.com/yannh/kubeconform
  local release=https://$module/releases/download/v$KUBECONFORM_VERSION/kubeconform-$os-$arch.tar.gz
  mkdir -p "$folder"
  [ -x "$folder/kubeconform" ] || lock kubeconform
  [ -x "$folder/kubeconform" ] || fetch_member "$folder" kubeconform "$release" kubeconform ||
    go_programs "$folder" "$KUBECONFORM_VERSION" "$module/cmd/kubeconform"
  echo "$folder"
}

crds() { # of the kinds of others that the chart can make
  local folder=$cache/crds-$GATEWAY_API_VERSION-$PROMETHEUS_OPERATOR_VERSION
  mkdir -p "$folder"
  crd "$folder" httproutes kubernetes-sigs/gateway-api sigs.k8s.io/gateway-api "$GATEWAY_API_VERSION" \
    config/crd/standard/gateway.networking.k8s.io
  local operator=prometheus-operator/prometheus-operator kind
  for kind in servicemonitors prometheusrules; do
    crd "$folder" "$kind" "$operator" "github.com/$operator" "$PROMETHEUS_OPERATOR_VERSION" \
      example/prometheus-operator-crd/monitoring.coreos.com
  done
  echo "$folder"
}

# Brings a CRD out of a repository, else out of its Go module: crd FOLDER PLURAL REPOSITORY MODULE VERSION PATH
crd() {
  local file=$1/$2.yaml source
  [ -s "$file" ] && return
  lock crds
  fetch -o "$file" "https://raw.githubusercontent.com/$3/v$5/$6_$2.yaml" && return
  need_go "$2.yaml" "$1"
  source=$(go mod download -json "$4@v$5" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  cp "$source/$6_$2.yaml" "$file" && chmod u+w "$file"
}

containerd() {
  local folder=$cache/bin/containerd-$CONTAINERD_VERSION package=github.com/containerd/containerd/v2/cmd name missing=
  local release=https://github.com/containerd/containerd/releases/download/v$CONTAINERD_VERSION/containerd-static-$CONTAINERD_VERSION-$os-$arch.tar.gz
  mkdir -p "$folder"
  [ -x "$folder/ctr" ] || lock containerd
  for name in containerd containerd-shim-runc-v2 ctr; do
    [ -x "$folder/$name" ] || fetch_member "$folder" "$name" "$release" "bin/$name" || missing=yes
  done
  [ -z "$missing" ] || go_programs "$folder" "$CONTAINERD_VERSION" "$package"/{containerd,containerd-shim-runc-v2,ctr}
  echo "$folder"
}

prometheus() { # with promtool; of Debian's package only the programs, because its server would start by itself
  local folder=$cache/bin/prometheus name
  local release=prometheus-$PROMETHEUS_VERSION.$os-$arch
  mkdir -p "$folder"
  for name in prometheus promtool; do
    [ -x "$folder/$name" ] && continue
    lock prometheus
    fetch_member "$folder" "$name" "https://github.com/prometheus/prometheus/releases/download/v$PROMETHEUS_VERSION/$release.tar.gz" "$release/$name" ||
      debian_member "$folder" "$name" prometheus ||
      { say "$name is missing. Put it into $folder (Prometheus 2.42 or later)."; exit 1; }
  done
  echo "$folder"
}

coredns() { # with no more plugins than a cluster without an uplink needs
  local folder=$cache/bin/coredns-$COREDNS_VERSION
  mkdir -p "$folder"
  [ -x "$folder/coredns" ] || lock coredns
  [ -x "$folder/coredns" ] || { need_go coredns "$folder"; with_progress coredns build_coredns "$folder"; }
  echo "$folder"
}

build_coredns() {
  local module=github.com/coredns/coredns plugin
  go_module coredns "$module" "$COREDNS_VERSION"
  {
    printf 'package main\n\nimport (\n\t"%s/coremain"\n' "$module"
    for plugin in cache errors health kubernetes loadbalance ready reload; do printf '\t_ "%s/plugin/%s"\n' "$module" "$plugin"; done
    printf ')\n\nfunc main() { coremain.Run() }\n'
  } >main.go
  go mod tidy
  go_build "$1" '' .
}

pause() { # holds the namespaces of a Pod, and those of the node itself: waits for a signal and reaps children
  local folder=$cache/bin/pause
  mkdir -p "$folder"
  [ -x "$folder/pause" ] || lock pause
  [ -x "$folder/pause" ] || { need_go pause "$folder"; with_progress pause build_pause "$folder"; }
  echo "$folder"
}

build_pause() {
  mkdir -p "$build/pause" && cp "$here/pause.go" "$build/pause/main.go" && cd "$build/pause"
  printf 'module tollgate.dev/hack/pause\n\ngo 1.26.0\n' >go.mod
  go_build "$1" '' .
}
