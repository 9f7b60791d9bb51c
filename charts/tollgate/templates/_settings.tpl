{{/* The settings file. */}}
{{- define "tollgate.settings" -}}
{{- toYaml (merge (dict "namespace" .Release.Namespace) .Values.settings (dict "gatewayURL" (include "tollgate.serviceURL" .))) }}
{{- end }}

{{/* The gateway's URL inside the cluster. */}}
{{- define "tollgate.serviceURL" -}}
{{ include "tollgate.scheme" . }}://tollgate-gateway.{{ .Release.Namespace }}.svc:{{ .Values.gateway.service.port }}
{{- end }}

{{/* The TCP ports of the upstreams and of other URLs in settings and values, with 443 and 6443. A JSON list. */}}
{{- define "tollgate.ports" -}}
{{- $ports := list 443 6443 }}
{{- range append (.Values.settings.upstreams | default list) .Values.otlp.endpoint }}
{{- $url := ternary . (printf "https://%s" .) (contains "://" .) | urlParse }}
{{- $default := ternary 80 443 (eq $url.scheme "http") }}
{{- if $url.host }}
{{- $ports = append $ports (regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default $default | int) }}
{{- end }}
{{- end }}
{{- toJson (uniq $ports) }}
{{- end }}

{{/* "true" if calls are admitted while Redis cannot be reached, else empty. */}}
{{- define "tollgate.isOpen" -}}
{{- if eq (.Values.settings.ledgerLoss | default "Closed") "Open" }}true{{ end }}
{{- end }}
