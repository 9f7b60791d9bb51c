#!/usr/bin/env bash
# Stops the node: the one process that holds its namespaces, and with it every container, mount and interface.
# KEEP=1 keeps its files for inspection.
set -euo pipefail
. "$(dirname "$0")/env.sh"

if is_up; then
  pid=$(cat "$state/node.pid")
  kill -TERM "$pid"
  until_true 20 "the end of the node" test ! -d "/proc/$pid"
fi
# The cgroups of its Pods are empty as soon as the last processes have ended.
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
  [ -d "$hierarchy/$cgroup" ] || continue
  for _ in 1 2 3 4 5; do
    find "$hierarchy/$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null && break
    sleep 0.2
  done
done
[ "${KEEP:-}" = 1 ] || rm -rf "$state"
