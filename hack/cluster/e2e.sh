#!/usr/bin/env bash
# `make e2e`: a cluster of one real node, the tests of test/system/e2e on it (or those that the arguments name), and its end. What
# ran before stays; KEEP=1 keeps also what was started here. E2E_CONTEXT names a cluster of yours instead, E2E_IMAGES the
# registry where it finds the images of this tree.
set -euo pipefail
. "$(dirname "$0")/env.sh"

if [ -z "${E2E_CONTEXT:-}" ]; then
  is_up || [ "${KEEP:-}" = 1 ] || trap '"$here/down.sh"' EXIT
  "$here/up.sh"
fi
node "$repository/hack/run/test.ts" --config=jest.e2e.config.ts "$@"
