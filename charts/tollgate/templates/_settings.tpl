{{/* The settings file. */}}
{{- define "tollgate.settings" -}}
{{- toYaml (merge (dict "namespace" .Release.Namespace) .Values.settings (dict "gatewayURL" (include "tollgate.serviceURL" .))) }}
{{- end }}

{{/* The gateway's URL inside the cluster. */}}
{{- define "tollgate.serviceURL" -}}
{{ include "tollgate.scheme" . }}://tollgate-gateway.{{ .Release.Namespace }}.svc:{{ .Values.gateway.service.port }}
{{- end }}

{{/* The TCP ports of the API server behind its Service, as a JSON list: policies act on the port after translation. */}}
{{- define "tollgate.apiServerPorts" -}}
{{- $ports := .Values.networkPolicies.apiServerPorts }}
{{- if not $ports }}
{{- $ports = list 6443 }}
{{- range dig "ports" list (lookup "discovery.k8s.io/v1" "EndpointSlice" "default" "kubernetes") }}
{{- $ports = append $ports (int .port) }}
{{- end }}
{{- end }}
{{- toJson $ports }}
{{- end }}

{{/* The TCP ports of the API server, the proxy, the upstreams and other URLs in settings and values, with 443. A JSON list. */}}
{{- define "tollgate.ports" -}}
{{- $ports := concat (list 443) (include "tollgate.apiServerPorts" . | fromJsonArray) }}
{{- with .Values.proxy }}
{{- if or .url .urlSecret.name }}
{{- $ports = concat $ports .ports }}
{{- end }}
{{- end }}
{{- range append (.Values.settings.upstreams | default list) .Values.otlp.endpoint }}
{{- $url := ternary . (printf "https://%s" .) (contains "://" .) | urlParse }}
{{- $default := ternary 80 443 (eq $url.scheme "http") }}
{{- if $url.host }}
{{- $ports = append $ports (regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default $default | int) }}
{{- end }}
{{- end }}
{{- $whole := list }}
{{- range $ports }}{{ $whole = append $whole (int .) }}{{ end }}
{{- toJson (uniq $whole) }}
{{- end }}

{{/* "true" if calls are admitted while Redis cannot be reached, else empty. */}}
{{- define "tollgate.isOpen" -}}
{{- if eq (.Values.settings.ledgerLoss | default "Closed") "Open" }}true{{ end }}
{{- end }}
