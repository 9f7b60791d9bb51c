{{/* Where the operator keeps the usage log. */}}
{{- define "tollgate.log" -}}
{{- with .Values.postgres }}
{{- if $.Values.logFolder.enabled }}
- { name: TOLLGATE_LOG_FOLDER, value: /var/lib/tollgate/log }
{{- else if .bundled }}
- { name: POSTGRES_PASSWORD, valueFrom: { secretKeyRef: { name: {{ .auth.existingSecret | default "tollgate-postgres" }}, key: password } } }
- { name: TOLLGATE_DATABASE_URL, value: 'postgres://tollgate:$(POSTGRES_PASSWORD)@tollgate-postgres:5432/tollgate' }
{{- else }}
- { name: TOLLGATE_DATABASE_URL, valueFrom: { secretKeyRef: { name: {{ .external.urlSecret.name }}, key: {{ .external.urlSecret.key }} } } }
{{- end }}
{{- end }}
{{- end }}
