{{/* The settings file. */}}
{{- define "tollgate.settings" -}}
{{- toYaml (merge (dict "namespace" .Release.Namespace) .Values.settings (dict "gatewayURL" (include "tollgate.serviceURL" .))) }}
{{- end }}

{{/* Where the gateway is inside the cluster. */}}
{{- define "tollgate.serviceURL" -}}
{{ include "tollgate.scheme" . }}://tollgate-gateway.{{ .Release.Namespace }}.svc:{{ .Values.gateway.service.port }}
{{- end }}

{{/* The TCP ports, beside 443, of the upstreams and of what else the settings and values name by URL. A JSON list. */}}
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

{{/* "true" where calls go on without the ledger, else empty. */}}
{{- define "tollgate.isOpen" -}}
{{- if eq (.Values.settings.ledgerLoss | default "Closed") "Open" }}true{{ end }}
{{- end }}
