{{/* Makes an object part of `helm test`, ordered by a weight, and deletes it afterwards. */}}
{{- define "tollgate.testHook" -}}
{ helm.sh/hook: test, helm.sh/hook-weight: '{{ . }}', helm.sh/hook-delete-policy: 'before-hook-creation,hook-succeeded,hook-failed' }
{{- end }}
