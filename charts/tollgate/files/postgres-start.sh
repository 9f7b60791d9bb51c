# Starts Postgres. An empty volume becomes a cluster with the role and the database `tollgate`; the role's password is
# what the Secret says, from each start on.
set -eu
data=$PGDATA
# It gets its name when it is whole; nothing that has the name is ever made anew.
if [ ! -e "$data" ]; then
  rm -rf "$data.new"
  initdb --pgdata="$data.new" --username=tollgate --encoding=UTF8 --locale=C --auth=scram-sha-256 --pwfile=/dev/stdin <<PASSWORD
$POSTGRES_PASSWORD
PASSWORD
  echo 'host all all all scram-sha-256' >>"$data.new/pg_hba.conf"
  echo 'create database tollgate' | postgres --single -D "$data.new" postgres >/dev/null
  mv "$data.new" "$data"
fi
# A volume's fsGroup opens it to the group, which Postgres does not take.
chmod 0700 "$data"
quoted=$(printf %s "$POSTGRES_PASSWORD" | sed "s/'/''/g")
# What fails here must not be logged: the password is in it.
echo "alter role tollgate password '$quoted'" |
  postgres --single -D "$data" -c log_min_error_statement=panic postgres >/dev/null
exec postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp
