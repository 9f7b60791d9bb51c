#!/usr/bin/env bash
# Starts a cluster of one real node: etcd, control plane, containerd, kubelet, kube-proxy, DNS, volumes, and the images of
# this tree. A cluster that runs already is kept, and gets the present images. Its state is in TOLLGATE_CLUSTER (.run/cluster).
set -euo pipefail
. "$(dirname "$0")/env.sh"
. "$here/namespaces.sh"
. "$here/credentials.sh"
. "$here/settings.sh"

reason=$(why_not)
[ -z "$reason" ] || { echo "make cluster-up: $reason" >&2; exit 1; }
PATH=$("$repository/hack/assets/assets.sh" node):$PATH

# Starts a process of the node: start NAME PROGRAM ARGUMENTS...
start() {
  local name=$1; shift
  inside setsid "$@" </dev/null >"$logs/$name.log" 2>&1 9>&- &
  disown
}

control_plane() {
  local etcd=http://127.0.0.1:2379
  start etcd etcd --data-dir "$state/etcd" --unsafe-no-fsync --log-level=warn --listen-client-urls "$etcd" --advertise-client-urls "$etcd"
  start kube-apiserver kube-apiserver --etcd-servers="$etcd" --bind-address=$node_ip --advertise-address=$node_ip --secure-port=$api_port \
    --tls-cert-file="$state/pki/apiserver.crt" --tls-private-key-file="$state/pki/apiserver.key" --client-ca-file="$state/pki/ca.crt" \
    --kubelet-client-certificate="$state/pki/kubelet-client.crt" --kubelet-client-key="$state/pki/kubelet-client.key" \
    --kubelet-preferred-address-types=InternalIP --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$state/pki/service-accounts.key" --service-account-signing-key-file="$state/pki/service-accounts.key" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --token-auth-file="$state/pki/tokens.csv" \
    --service-cluster-ip-range=$services --allow-privileged=true --profiling=false
  until_true 90 "kube-apiserver" inside kubectl get --raw /readyz
  start kube-controller-manager kube-controller-manager --kubeconfig="$state/kube-controller-manager.kubeconfig" --leader-elect=false \
    --use-service-account-credentials --service-account-private-key-file="$state/pki/service-accounts.key" \
    --root-ca-file="$state/pki/ca.crt" --bind-address=127.0.0.1
  start kube-scheduler kube-scheduler --kubeconfig="$state/kube-scheduler.kubeconfig" --leader-elect=false --bind-address=127.0.0.1
  inside kubectl create clusterrolebinding local-kube-proxy --clusterrole=system:node-proxier --user=system:kube-proxy >/dev/null
  say "control plane"
}

runtime() {
  containerd_settings
  start containerd containerd -c "$state/containerd.toml"
  until_true 30 "containerd" inside ctr -a "$socket" version
}

import_images() { # those that changed since they were imported; their build was started at the beginning
  local file mark
  wait "$images" || exit 1
  mkdir -p "$state/imported"
  for file in $(cat "$image_files"); do
    mark=$state/imported/$(basename "$file")
    [ "$mark" -nt "$file" ] && continue
    inside ctr -a "$socket" -n k8s.io images import "$file" >>"$logs/import.log" 2>&1 ||
      { echo "make cluster-up: importing $file failed; the log is $logs/import.log" >&2; exit 1; }
    touch "$mark"
  done
  say "images"
}

node() {
  kubelet_settings
  proxy_settings
  start kubelet kubelet --config="$state/kubelet.yaml" --kubeconfig="$state/kubelet.kubeconfig" --root-dir="$state/kubelet" \
    --cert-dir="$state/kubelet/pki" --hostname-override=node1 --node-ip=$node_ip
  start kube-proxy kube-proxy --config="$state/kube-proxy.yaml"
  until_true 60 "the node" inside kubectl get node node1
  inside kubectl wait --for=condition=Ready node/node1 --timeout=60s >/dev/null
  say "node"
}

volumes() {
  inside "$here/volumes.sh" make
  start volumes "$here/volumes.sh" recycle
}

dns() {
  inside kubectl apply -f "$here/coredns.yaml" >/dev/null
  inside kubectl -n kube-system rollout status deploy/coredns --timeout=90s >/dev/null
  say "DNS"
}

mkdir -p "$state"
exec 9>"$state.lock"
flock 9
image_files=$(mktemp)
trap 'rm -f "$image_files"' EXIT
"$repository/hack/release/images.sh" all >"$image_files" 9>&- &
images=$!
if is_up && [ -e "$state/complete" ] && inside kubectl get --raw /readyz >/dev/null 2>&1; then
  import_images
else
  "$here/down.sh"
  mkdir -p "$logs" "$state/pki"
  namespaces
  credentials
  runtime
  control_plane
  node
  import_images
  volumes
  dns
  touch "$state/complete"
fi
echo "The cluster is up. Next: hack/cluster/kubectl get pods -A. End it: make cluster-down."
