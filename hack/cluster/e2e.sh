#!/usr/bin/env bash
# `make e2e`: starts a cluster of one real node, runs the tests of test/system/e2e (or those that the arguments name) on it,
# and stops it. A cluster that ran before stays; KEEP=1 also keeps one that was started here. E2E_CONTEXT names your cluster
# instead, and E2E_IMAGES the registry with the images of this tree.
set -euo pipefail
. "$(dirname "$0")/env.sh"

if [ -z "${E2E_CONTEXT:-}" ]; then
  is_up || [ "${KEEP:-}" = 1 ] || trap '"$here/down.sh"' EXIT
  "$here/up.sh"
fi
node "$repository/hack/run/test.ts" --config=jest.e2e.config.ts "$@"
