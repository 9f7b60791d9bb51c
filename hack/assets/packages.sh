# What the system's package manager brings. Sourced by hack/assets/assets.sh.

# Installs packages with apt-get: apt LOG PACKAGE...
apt() {
  local log=$build/$1.log; shift
  lock packages
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1
}

# Takes a program out of a package without installing it: debian_member FOLDER NAME PACKAGE
debian_member() {
  command -v apt-get >/dev/null && mkdir -p "$build/$3" && cd "$build/$3" || return 1
  compgen -G "$3_*.deb" >/dev/null || apt-get download -qq "$3" >&2 || { apt-get update -qq && apt-get download -qq "$3" >&2; } || return 1
  dpkg-deb --fsys-tarfile "$3"_*.deb | tar -xO "./usr/bin/$2" >"$1/$2.part" && finish "$1" "$2"
}

redis() {
  command -v redis-server >/dev/null && return
  say "redis-server is not on the PATH; installing it with the system's package manager"
  if command -v apt-get >/dev/null; then
    apt redis redis-server ||
      { say "installing redis-server failed; the log is $build/redis.log. Install Redis 7 or Valkey and run this again."; exit 1; }
  elif command -v brew >/dev/null; then brew install redis >&2
  elif command -v dnf >/dev/null; then dnf install -y redis >&2
  else say "Install Redis 7 or Valkey so that redis-server is on the PATH, then run this again."; exit 1; fi
}

faketime() { # if it cannot be installed, only the one test that needs it fails
  local file
  for file in /usr/lib*/faketime/libfaketime.so.1 /usr/lib/*/faketime/libfaketime.so.1 /usr/local/lib/faketime/libfaketime.so.1; do
    [ -e "$file" ] && return
  done
  say "libfaketime is not installed; installing it with the system's package manager"
  if command -v apt-get >/dev/null; then apt faketime libfaketime
  elif command -v dnf >/dev/null; then dnf install -y libfaketime >&2
  else false; fi || say "it could not be installed: test/system/chaos/rollover.test.ts will fail"
}

postgres() { # without the server that Debian's package would start
  command -v initdb >/dev/null && return
  compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null && return
  say "Postgres is not installed; installing it with the system's package manager"
  if command -v apt-get >/dev/null; then
    {
      apt postgres postgresql-common
      mkdir -p /etc/postgresql-common/createcluster.d
      echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/tollgate.conf
      apt postgres postgresql
    } || { say "installing postgresql failed; the log is $build/postgres.log. Install Postgres 15 or later and run this again."; exit 1; }
  elif command -v brew >/dev/null; then brew install postgresql >&2
  elif command -v dnf >/dev/null; then dnf install -y postgresql-server >&2
  else say "Install Postgres 15 or later so that postgres and initdb are on the PATH, then run this again."; exit 1; fi
}

pgbouncer() { # without the pooler that Debian's package would start
  { type -P pgbouncer || [ -x /usr/sbin/pgbouncer ]; } >/dev/null && return # `command -v` would find this function
  say "PgBouncer is not installed; installing it with the system's package manager"
  if command -v apt-get >/dev/null; then
    apt pgbouncer pgbouncer ||
      { say "installing pgbouncer failed; the log is $build/pgbouncer.log. Install PgBouncer and run this again."; exit 1; }
    ! command -v systemctl >/dev/null || systemctl disable --now pgbouncer >/dev/null 2>&1 || true
  elif command -v brew >/dev/null; then brew install pgbouncer >&2
  elif command -v dnf >/dev/null; then dnf install -y pgbouncer >&2
  else say "Install PgBouncer so that pgbouncer is on the PATH, then run this again."; exit 1; fi
}

# The packages that a node and the building of images need.
node_packages() {
  command -v buildah >/dev/null && command -v mmdebstrap >/dev/null && command -v runc >/dev/null && command -v nft >/dev/null &&
    command -v conntrack >/dev/null && command -v ip >/dev/null && [ -x /usr/lib/cni/bridge ] && return
  say "installing runc, CNI plugins, nftables, buildah and mmdebstrap with the system's package manager"
  apt node runc containernetworking-plugins nftables conntrack iproute2 buildah mmdebstrap ||
    { say "installing them failed; the log is $build/node.log. A local node needs Debian or Ubuntu and root."; exit 1; }
}
