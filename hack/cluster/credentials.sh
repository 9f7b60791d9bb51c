# Certificates of the API server and the kubelet, and a kubeconfig with a token for each part. Sourced by up.sh.

certificate() { # NAME SUBJECT EXTENSION
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -subj "$2" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$1.crt" -extfile <(echo "$3") 2>/dev/null
}

certificates() {
  cd "$state/pki"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 30 -subj /CN=tollgate-local 2>/dev/null
  certificate apiserver /CN=kube-apiserver "subjectAltName=IP:$node_ip,IP:127.0.0.1,IP:${services%.*}.1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
  certificate kubelet /CN=node1 "subjectAltName=IP:$node_ip,DNS:node1"
  certificate kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client extendedKeyUsage=clientAuth
  openssl genrsa -out service-accounts.key 2048 2>/dev/null
  cd "$state"
}

kubeconfig() { # NAME USER [GROUP]
  local token
  token=$(openssl rand -hex 24)
  echo "$token,$2,$1${3:+,$3}" >>"$state/pki/tokens.csv"
  cat >"$state/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters: [{ name: local, cluster: { server: 'https://$node_ip:$api_port', certificate-authority: $state/pki/ca.crt } }]
users: [{ name: $1, user: { token: $token } }]
contexts: [{ name: local, context: { cluster: local, user: $1 } }]
current-context: local
YAML
}

credentials() {
  certificates
  kubeconfig admin admin system:masters
  kubeconfig kubelet system:node:node1 system:nodes
  kubeconfig kube-controller-manager system:kube-controller-manager
  kubeconfig kube-scheduler system:kube-scheduler
  kubeconfig kube-proxy system:kube-proxy
}
