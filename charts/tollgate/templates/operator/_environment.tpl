{{- define "tollgate.operatorEnvironment" -}}
{{- include "tollgate.environment" . }}
{{- include "tollgate.proxyEnvironment" . }}
{{- include "tollgate.logEnvironment" . }}
{{- if .Values.usageLogFolder.enabled }}
- { name: TOLLGATE_USAGE_LOG_FOLDER, value: /var/lib/tollgate/log }
{{- end }}
{{- with .Values.smtp.passwordSecret }}
{{- if .name }}
- { name: TOLLGATE_SMTP_PASSWORD, valueFrom: { secretKeyRef: { name: {{ .name }}, key: {{ .key }} } } }
{{- end }}
{{- end }}
- { name: PORT, value: '8081' }
- { name: LOG_LEVEL, value: {{ .Values.operator.logLevel }} }
{{- /* A compilation's garbage is short-lived: with ten thousand budgets a small young generation saves 100 MB. */}}
- { name: NODE_OPTIONS, value: --max-semi-space-size=4 }
{{- end }}
