# Settings of the local one-node cluster, and `inside`, which runs a command in it. Sourced by the scripts beside it.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
cache=${TOLLGATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tollgate}
state=${TOLLGATE_CLUSTER:-$repository/.run/cluster}
[[ $state = /* ]] || state=$PWD/$state
logs=$state/logs
# The cgroup above all Pods, in each hierarchy: one for each cluster of this machine.
cgroup=tollgate-$(printf %s "$state" | cksum | cut -d' ' -f1)
socket=$state/containerd.sock
export KUBECONFIG=$state/admin.kubeconfig

# Addresses in the node's own network, which has no route out, so that they cannot clash with others.
node_ip=192.168.77.2
api_port=6443
pods=10.244.0.0/24
pod_gateway=10.244.0.1
services=10.96.0.0/24
dns_ip=10.96.0.10

say() { printf 'cluster: %3d s  %s\n' "$SECONDS" "$*"; }

# Runs a command in the network, the mounts and the processes of the node, and in the present folder.
inside() { nsenter -t "$(cat "$state/node.pid")" -n -m -p -- env -C "$PWD" "$@"; }

# Whether the process that holds the node lives, and its id is not that of a later process.
is_up() {
  local pid
  pid=$(cat "$state/node.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = pause ] &&
    [ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = "$cache/bin/pause/pause $state " ]
}

# Repeats a command until it succeeds: until_true SECONDS WHAT COMMAND...
until_true() {
  local end=$((SECONDS + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || { echo "cluster: $what was not ready in time; its logs are in $logs" >&2; return 1; }
    sleep 0.2
  done
}

# Prints why this machine cannot run a node, in one sentence; nothing if it can.
why_not() {
  if [ "$(uname -s)" != Linux ]; then echo "a local node needs Linux; name a cluster by E2E_CONTEXT instead"
  elif [ "$(id -u)" != 0 ]; then echo "a local node needs root; name a cluster by E2E_CONTEXT instead"
  elif ! unshare --net --mount --pid --fork true 2>/dev/null; then echo "a local node needs namespaces, which this machine does not give; name a cluster by E2E_CONTEXT instead"
  elif ! command -v apt-get >/dev/null; then echo "a local node needs Debian or Ubuntu, whose packages it is made of; name a cluster by E2E_CONTEXT instead"
  fi
}
