# The Linux namespaces of the node, and what it sees of the machine in them. Sourced by up.sh.

# Folders outside the state that kubelet, containerd and CNI write to. Inside the node they are empty file systems in memory.
hidden="/run /opt/containerd /usr/libexec/kubernetes /var/lib/cni /var/lib/kubelet /var/log/containers"

# One process holds the namespaces: ending it ends every container, mount, interface and rule of the cluster.
namespaces() {
  unshare --net --mount --pid --fork --mount-proc --propagation private "$cache/bin/pause/pause" "$state" </dev/null >"$logs/node.log" 2>&1 9>&- &
  local outer=$!
  disown
  until_true 10 "the process that holds the node" holder "$outer"
  pgrep -P "$outer" >"$state/node.pid"
  inside bash -euc "$(declare -p hidden state node_ip services); $(declare -f inner); inner"
  cgroups
}

holder() { [ "$(cat "/proc/$(pgrep -P "$1")/comm")" = pause ]; }

inner() {
  # A new /sys for the new network, with the cgroups of the old one.
  mkdir -p "$state/cgroup"
  mount --rbind /sys/fs/cgroup "$state/cgroup"
  mount -t sysfs sysfs /sys
  mount --rbind "$state/cgroup" /sys/fs/cgroup
  umount -R -l "$state/cgroup"
  mount --make-rshared /
  for folder in $hidden; do mkdir -p "$folder" && mount -t tmpfs tmpfs "$folder"; done
  mkdir -p /run/netns
  # Settings that the kubelet would change for the whole machine; it sees them as set already.
  for setting in vm/overcommit_memory=1 kernel/panic=10 kernel/panic_on_oops=1; do
    file=$state/sysctl-$(tr / - <<<"${setting%=*}")
    echo "${setting#*=}" >"$file"
    mount --bind "$file" "/proc/sys/${setting%=*}"
  done
  ip link set lo up
  ip link add node0 type bridge
  ip addr add "$node_ip/24" dev node0
  ip link set node0 up
  ip route add "$services" dev node0
  sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1 net.ipv4.conf.all.rp_filter=0
}

# The cgroup of all Pods, in every hierarchy of version 1, or in the one of version 2.
cgroups() {
  local hierarchy file
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then mkdir -p "/sys/fs/cgroup/$cgroup"; return; fi
  for hierarchy in /sys/fs/cgroup/*/; do
    [ "$hierarchy" = /sys/fs/cgroup/unified/ ] || mkdir -p "$hierarchy$cgroup"
  done
  for file in cpuset.cpus cpuset.mems; do cat "/sys/fs/cgroup/cpuset/$file" >"/sys/fs/cgroup/cpuset/$cgroup/$file"; done
}
