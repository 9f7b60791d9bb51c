{{/* Variables, mounts and volumes for the database of the usage log, if it is in one. */}}
{{- define "tollgate.logEnvironment" }}
{{- with .Values.postgres }}
{{- if .bundled }}
- { name: PGPASSWORD, valueFrom: { secretKeyRef: { name: {{ .auth.existingSecret | default "tollgate-postgres" }}, key: password } } }
- { name: TOLLGATE_DATABASE_URL, value: postgres://tollgate@tollgate-postgres:5432/tollgate }
{{- else if .external.urlSecret.name }}
- { name: TOLLGATE_DATABASE_URL, valueFrom: { secretKeyRef: { name: {{ .external.urlSecret.name }}, key: {{ .external.urlSecret.key }} } } }
{{- end }}
{{- end }}
{{- end }}

{{- define "tollgate.logMounts" -}}
{{- if .Values.postgres.external.caSecret.name -}}
- { name: postgres-ca, mountPath: /etc/tollgate/postgres-ca, readOnly: true }
{{- end }}
{{- end }}

{{- define "tollgate.logVolumes" -}}
{{- with .Values.postgres.external.caSecret }}
{{- if .name -}}
- { name: postgres-ca, secret: { secretName: {{ .name }}, items: [{ key: {{ .key }}, path: ca.crt }] } }
{{- end }}
{{- end }}
{{- end }}
