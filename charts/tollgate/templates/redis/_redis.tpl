{{/* The configuration of Redis without its password. */}}
{{- define "tollgate.redisConf" -}}
dir /data
appendonly yes
appendfsync {{ .Values.redis.appendFsync }}
# The append-only file is the persistence; no snapshots.
save ""
maxmemory {{ .Values.redis.maxMemory }}
# An evicted key would be lost money.
maxmemory-policy noeviction
{{- end }}

{{/* The client programs of Redis and Valkey have different names. */}}
{{- define "tollgate.redisCli" -}}
REDISCLI_AUTH="$REDIS_PASSWORD" "$(command -v valkey-cli || command -v redis-cli)"
{{- end }}
