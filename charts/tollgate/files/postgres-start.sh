# Starts Postgres. On an empty volume it creates a cluster with the role and the database `tollgate`. At each start it sets
# the role's password to that of the Secret.
set -eu
data=$PGDATA
# The cluster is renamed when it is complete; a folder of that name is never created again.
if [ ! -e "$data" ]; then
  rm -rf "$data.new"
  initdb --pgdata="$data.new" --username=tollgate --encoding=UTF8 --locale=C --auth=scram-sha-256 --pwfile=/dev/stdin <<PASSWORD
$POSTGRES_PASSWORD
PASSWORD
  echo 'host all all all scram-sha-256' >>"$data.new/pg_hba.conf"
  echo 'create database tollgate' | postgres --single -D "$data.new" postgres >/dev/null
  mv "$data.new" "$data"
fi
# A volume's fsGroup gives the group access, which Postgres rejects.
chmod 0700 "$data"
quoted=$(printf %s "$POSTGRES_PASSWORD" | sed "s/'/''/g")
# A failing statement must not be logged: it contains the password.
echo "alter role tollgate password '$quoted'" |
  postgres --single -D "$data" -c log_min_error_statement=panic postgres >/dev/null
exec postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp
