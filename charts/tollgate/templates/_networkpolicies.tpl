{{/* Egress to a store, bundled or external: dict "values", "component". */}}
{{- define "tollgate.storeEgress" -}}
{{- if .values.bundled -}}
- ports: [{ port: {{ .component }} }]
  to:
    - podSelector:
        matchLabels:
          {{- include "tollgate.selector" . | nindent 10 }}
{{- else -}}
- ports:
    {{- range .values.external.ports }}
    - port: {{ . }}
    {{- end }}
{{- end }}
{{- end }}

{{/* Ingress to a bundled store, which has no egress: dict "root", "component", "callers". */}}
{{- define "tollgate.storePolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "tollgate.metadata" (list .root (printf "tollgate-%s" .component)) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "tollgate.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports: [{ port: {{ .component }} }]
      from:
        {{- range .callers }}
        - podSelector:
            matchLabels:
              {{- include "tollgate.selector" (dict "component" .) | nindent 14 }}
        {{- end }}
{{- end }}
