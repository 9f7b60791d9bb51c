{{/* What Redis is told, but for its password. */}}
{{- define "tollgate.redisConf" -}}
dir /data
appendonly yes
appendfsync {{ .Values.redis.appendFsync }}
# The append-only file is what counts.
save ""
maxmemory {{ .Values.redis.maxMemory }}
# A Redis that evicts forgets money.
maxmemory-policy noeviction
{{- end }}

{{/* Redis and Valkey call their programs differently. */}}
{{- define "tollgate.redisCli" -}}
REDISCLI_AUTH="$REDIS_PASSWORD" "$(command -v valkey-cli || command -v redis-cli)"
{{- end }}
