# Starts Redis or Valkey with a password that is not on the command line.
set -eu
umask 077
cp /etc/redis/redis.conf /run/redis/redis.conf
quoted=$(printf %s "$REDIS_PASSWORD" | sed 's/[\\"]/\\&/g')
printf 'requirepass "%s"\n' "$quoted" >>/run/redis/redis.conf
exec "$(command -v valkey-server || command -v redis-server)" /run/redis/redis.conf
