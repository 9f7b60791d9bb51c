#!/usr/bin/env bash
# Volumes of the local node, of the default class: local folders, since no provisioner runs here.
# `make` creates them; `recycle` empties those whose claim was deleted and makes them available again, until it is stopped.
set -euo pipefail
. "$(dirname "$0")/env.sh"
count=12

make() {
  {
    cat <<YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: local, annotations: { storageclass.kubernetes.io/is-default-class: 'true' } }
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
YAML
    local number
    for number in $(seq $count); do
      mkdir -p "$state/volumes/local-$number"
      cat <<YAML
---
apiVersion: v1
kind: PersistentVolume
metadata: { name: local-$number }
spec:
  capacity: { storage: 20Gi }
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: local
  local: { path: $state/volumes/local-$number }
  nodeAffinity:
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key: kubernetes.io/hostname, operator: In, values: [node1] }] }] }
YAML
    done
  } | kubectl apply -f - >/dev/null
}

recycle() {
  local name
  while sleep 2; do
    for name in $(kubectl get pv -o jsonpath='{.items[?(@.status.phase=="Released")].metadata.name}'); do
      find "$state/volumes/$name" -mindepth 1 -delete
      kubectl patch pv "$name" --type=json -p '[{"op":"remove","path":"/spec/claimRef"}]'
    done
  done
}

"$1"
