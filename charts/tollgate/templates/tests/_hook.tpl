{{/* Makes an object part of `helm test`, in order of a weight, and leaves nothing of it behind. */}}
{{- define "tollgate.testHook" -}}
{ helm.sh/hook: test, helm.sh/hook-weight: '{{ . }}', helm.sh/hook-delete-policy: 'before-hook-creation,hook-succeeded,hook-failed' }
{{- end }}
