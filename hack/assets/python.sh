#!/usr/bin/env bash
# Prints the path of a Python that has the Anthropic SDK: a virtual environment of its own in the cache. Idempotent.
set -euo pipefail

SDK_VERSION=2.12.0
cache=${TOLLGATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tollgate}
venv=$cache/python/anthropic-$SDK_VERSION
say() { echo "python: $*" >&2; }

command -v python3 >/dev/null || { say "install Python 3.9 or later: the tests of the Python SDK need it"; exit 1; }

# One at a time: two test runs that start together must not write the same files.
mkdir -p "$cache/python"
exec 9>"$cache/python/lock"
if command -v flock >/dev/null; then flock 9; fi

if [ ! -f "$venv/complete" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv" >&2 || { say "python3 cannot make a virtual environment; on Debian: apt-get install python3-venv"; exit 1; }
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "anthropic==$SDK_VERSION" >&2 ||
    { say "installing anthropic $SDK_VERSION failed; it needs the network once"; exit 1; }
  touch "$venv/complete"
fi
echo "$venv/bin/python"
