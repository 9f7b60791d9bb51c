{{- define "tollgate.gatewayEnvironment" -}}
{{- include "tollgate.environment" . }}
{{- include "tollgate.proxyEnvironment" . }}
- { name: PORT, value: '8080' }
- { name: ADMIN_PORT, value: '8081' }
- { name: TOLLGATE_BODY_MEMORY, value: {{ .Values.gateway.bodyMemory }} }
- { name: TOLLGATE_BATCH_STORAGE, value: {{ .Values.gateway.batchStorage.size }} }
- { name: LOG_LEVEL, value: {{ .Values.gateway.logLevel }} }
- { name: TOLLGATE_SHUTDOWN_DELAY_SECONDS, value: {{ .Values.gateway.shutdownDelaySeconds | quote }} }
{{- /* A gateway's garbage is short-lived: a small young generation costs nothing and saves tens of megabytes under load. */}}
- { name: NODE_OPTIONS, value: --max-semi-space-size=8 }
{{- if include "tollgate.isOpen" . }}
- { name: TOLLGATE_WRITE_AHEAD_LOG_FOLDER, value: /var/lib/tollgate }
{{- end }}
{{- if .Values.gateway.tls.secretName }}
- { name: TOLLGATE_TLS_FOLDER, value: /etc/tollgate/tls }
{{- end }}
{{- end }}

{{/* The gateway's Pod, of a Deployment or of a StatefulSet. */}}
{{- define "tollgate.gatewayPod" -}}
{{- $part := dict "root" . "component" "gateway" "values" .Values.gateway "checksums" (dict "checksum/settings" (include "tollgate.settings" . | sha256sum)) -}}
metadata:
  {{- include "tollgate.podMetadata" $part | nindent 2 }}
spec:
  serviceAccountName: tollgate-gateway
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.gateway.terminationGracePeriodSeconds }}
  {{- include "tollgate.podPlacement" $part | nindent 2 }}
  {{- with include "tollgate.topologySpread" $part | trim }}
  topologySpreadConstraints:
    {{- . | nindent 4 }}
  {{- end }}
  containers:
    - name: gateway
      image: {{ include "tollgate.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [gateway]
      env:
        {{- include "tollgate.withExtraEnv" (dict "ours" (include "tollgate.gatewayEnvironment" .) "extra" .Values.gateway.extraEnv "of" "gateway") | trim | nindent 8 }}
      ports:
        - { name: api, containerPort: 8080 }
        - { name: metrics, containerPort: 8081 }
      startupProbe: { httpGet: { path: /healthz, port: metrics }, periodSeconds: 1, failureThreshold: 180 }
      livenessProbe: { httpGet: { path: /healthz, port: metrics }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }
      readinessProbe: { httpGet: { path: /readyz, port: metrics }, periodSeconds: 2, timeoutSeconds: 2 }
      resources:
        {{- toYaml .Values.gateway.resources | nindent 8 }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        {{- include "tollgate.mounts" . | nindent 8 }}
        {{- if include "tollgate.isOpen" . }}
        - { name: write-ahead-log, mountPath: /var/lib/tollgate }
        {{- end }}
        {{- if .Values.gateway.tls.secretName }}
        - { name: tls, mountPath: /etc/tollgate/tls, readOnly: true }
        {{- end }}
        {{- with .Values.gateway.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "tollgate.volumes" . | nindent 4 }}
    - { name: tmp, emptyDir: { sizeLimit: {{ .Values.gateway.batchStorage.sizeLimit }} } }
    {{- with .Values.gateway.tls.secretName }}
    - { name: tls, secret: { secretName: {{ . }} } }
    {{- end }}
    {{- with .Values.gateway.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
