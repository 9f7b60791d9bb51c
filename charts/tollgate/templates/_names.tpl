{{/* Metadata of an object in the installation's namespace: (list $ "name"). */}}
{{- define "tollgate.metadata" -}}
name: {{ index . 1 }}
namespace: {{ (index . 0).Release.Namespace }}
labels:
  {{- include "tollgate.labels" (index . 0) | nindent 2 }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "tollgate.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: tollgate
app.kubernetes.io/name: tollgate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The label selector of one component's Pods: dict "component". Services and NetworkPolicies use it, so it never changes. */}}
{{- define "tollgate.selector" -}}
app.kubernetes.io/name: tollgate
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "tollgate.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "tollgate.scheme" -}}
{{ ternary "https" "http" (ne .Values.gateway.tls.secretName "") }}
{{- end }}

{{/* The number of shards in the settings. */}}
{{- define "tollgate.shards" -}}
{{ .Values.settings.shards | default 8 }}
{{- end }}

{{/* The ConfigMaps that operators write and gateways read. */}}
{{- define "tollgate.policyShards" -}}
- tollgate-policy-shared
{{- range $i := until (include "tollgate.shards" . | int) }}
- tollgate-policy-{{ $i }}
{{- end }}
{{- end }}
