{{/* Metadata of a Pod: dict "root", "component", "values" (of the component), "checksums" (dict). */}}
{{- define "tollgate.podMetadata" -}}
labels:
  {{- include "tollgate.selector" . | nindent 2 }}
  app.kubernetes.io/instance: {{ .root.Release.Name }}
  app.kubernetes.io/part-of: tollgate
  {{- range $labels := list .root.Values.commonLabels (.values.podLabels | default dict) }}
  {{- with $labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- end }}
{{- with merge (dict) .values.podAnnotations (.checksums | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Placement and user of a Pod: dict "root", "values". */}}
{{- define "tollgate.podPlacement" -}}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with index $.values $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* The topology constraints of a component with its own selector: dict "values", "component". */}}
{{- define "tollgate.topologySpread" -}}
{{- $own := dict "labelSelector" (dict "matchLabels" (include "tollgate.selector" . | fromYaml)) "matchLabelKeys" (list "pod-template-hash") }}
{{- range .values.topologySpreadConstraints }}
- {{ toYaml (merge (dict) . $own) | nindent 2 | trim }}
{{- end }}
{{- end }}

{{/* Environment variables of operator and gateway. */}}
{{- define "tollgate.environment" -}}
- { name: TOLLGATE_SETTINGS, value: /etc/tollgate/settings/settings.yaml }
- { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
{{- with .Values.metrics.tokenSecret }}
{{- if .name }}
- { name: TOLLGATE_METRICS_TOKEN, valueFrom: { secretKeyRef: { name: {{ .name }}, key: {{ .key }} } } }
{{- end }}
{{- end }}
{{- with .Values.redis }}
{{- if .bundled }}
- { name: REDIS_PASSWORD, valueFrom: { secretKeyRef: { name: {{ .auth.existingSecret | default "tollgate-redis" }}, key: password } } }
- { name: REDIS_URL, value: redis://tollgate-redis:6379/0 }
{{- else if .external.url }}
- { name: REDIS_URL, value: {{ .external.url | quote }} }
{{- else }}
- { name: REDIS_URL, valueFrom: { secretKeyRef: { name: {{ .external.urlSecret.name }}, key: {{ .external.urlSecret.key }} } } }
{{- end }}
{{- if .external.caSecret.name }}
- { name: REDIS_CA_FILE, value: /etc/tollgate/redis-ca/ca.crt }
{{- end }}
{{- end }}
{{- if .Values.caBundle.configMapName }}
- { name: NODE_EXTRA_CA_CERTS, value: /etc/tollgate/ca/ca.crt }
{{- end }}
{{- with .Values.otlp }}
{{- if .endpoint }}
- { name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ .endpoint | quote }} }
- { name: OTEL_EXPORTER_OTLP_PROTOCOL, value: {{ .protocol | quote }} }
{{- if .headersSecret.name }}
- { name: OTEL_EXPORTER_OTLP_HEADERS, valueFrom: { secretKeyRef: { name: {{ .headersSecret.name }}, key: {{ .headersSecret.key }} } } }
{{- end }}
{{- with .resourceAttributes }}
- { name: OTEL_RESOURCE_ATTRIBUTES, value: {{ . | quote }} }
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The proxy of operator and gateway. */}}
{{- define "tollgate.proxyEnvironment" }}
{{- with .Values.proxy }}
{{- if or .url .urlSecret.name }}
{{- $url := dict "value" .url }}
{{- if .urlSecret.name }}
{{- $url = dict "valueFrom" (dict "secretKeyRef" (dict "name" .urlSecret.name "key" .urlSecret.key)) }}
{{- end }}
{{- range $name := list "HTTPS_PROXY" "HTTP_PROXY" }}
- {{ merge (dict "name" $name) $url | toJson }}
{{- end }}
- { name: NO_PROXY, value: {{ .noProxy | quote }} }
{{- end }}
{{- end }}
{{- end }}

{{/*
The environment of a container with `extraEnv`, in which each name stands once, as server-side apply demands: dict "ours"
(text), "extra" (list), "of" (for messages).
*/}}
{{- define "tollgate.withExtraEnv" -}}
{{- if not .extra }}
{{- .ours | trim }}
{{- else }}
{{- $extra := dict }}
{{- range .extra }}
{{- if hasKey $extra .name }}
{{- fail (printf "%s.extraEnv: %s stands there twice; write it once" $.of .name) }}
{{- end }}
{{- $_ := set $extra .name . }}
{{- end }}
{{- range .ours | fromYamlArray }}
{{- $other := get $extra .name }}
{{- if and (eq .name "NODE_OPTIONS") $other }}
{{- if not (hasKey $other "value") }}
{{- fail (printf "%s.extraEnv: write NODE_OPTIONS as a value, to which the chart adds its own" $.of) }}
{{- end }}
{{- /* Of two options of one name Node takes the later. */}}
{{- $_ := set $extra .name (dict "name" .name "value" (printf "%s %s" .value $other.value)) }}
{{- else if not $other }}
- {{ toJson . }}
{{- end }}
{{- end }}
{{- range .extra }}
- {{ get $extra .name | toJson }}
{{- end }}
{{- end }}
{{- end }}

{{/* Files of operator and gateway: settings, and the CAs. */}}
{{- define "tollgate.mounts" -}}
- { name: settings, mountPath: /etc/tollgate/settings, readOnly: true }
- { name: tmp, mountPath: /tmp }
{{- if .Values.redis.external.caSecret.name }}
- { name: redis-ca, mountPath: /etc/tollgate/redis-ca, readOnly: true }
{{- end }}
{{- if .Values.caBundle.configMapName }}
- { name: ca-bundle, mountPath: /etc/tollgate/ca, readOnly: true }
{{- end }}
{{- end }}

{{- define "tollgate.volumes" -}}
- { name: settings, configMap: { name: tollgate-settings } }
{{- with .Values.redis.external.caSecret }}
{{- if .name }}
- { name: redis-ca, secret: { secretName: {{ .name }}, items: [{ key: {{ .key }}, path: ca.crt }] } }
{{- end }}
{{- end }}
{{- with .Values.caBundle }}
{{- if .configMapName }}
- { name: ca-bundle, configMap: { name: {{ .configMapName }}, items: [{ key: {{ .key }}, path: ca.crt }] } }
{{- end }}
{{- end }}
{{- end }}

{{/* A claim for a volume of one Pod: dict "name", "size", "storageClassName". */}}
{{- define "tollgate.claim" -}}
metadata: { name: {{ .name }} }
spec:
  accessModes: [ReadWriteOnce]
  {{- with .storageClassName }}
  storageClassName: {{ . }}
  {{- end }}
  resources: { requests: { storage: {{ .size }} } }
{{- end }}
