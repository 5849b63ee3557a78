{{- define "tidegate.name" -}}
{{- if contains "tidegate" .Release.Name }}{{ .Release.Name | trunc 53 | trimSuffix "-" }}{{ else }}{{ printf "%s-tidegate" .Release.Name | trunc 53 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- /* What never changes: a Deployment cannot have another selector. */ -}}
{{- define "tidegate.selector" -}}
app.kubernetes.io/name: tidegate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tidegate.labels" -}}
{{ include "tidegate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "tidegate.image" -}}
{{- if .image.digest }}{{ .image.repository }}@{{ .image.digest }}{{ else }}{{ .image.repository }}:{{ .image.tag | default .default }}{{ end -}}
{{- end }}

{{- define "tidegate.account" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "tidegate.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end -}}
{{- end }}

{{- define "tidegate.host" -}}
{{- regexReplaceAll ":[0-9]+$" (urlParse .Values.externalURL).host "" -}}
{{- end }}

{{- define "tidegate.claim" -}}
{{- .Values.storage.existingClaim | default (printf "%s-blobs" (include "tidegate.name" .)) -}}
{{- end }}

{{- define "tidegate.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "tidegate.settings" -}}
- {name: TIDEGATE_EXTERNAL_URL, value: {{ .Values.externalURL | quote }}}
- {name: TIDEGATE_DATABASE_URL, value: {{ .Values.database.url | quote }}}
- {name: TIDEGATE_DATABASE_PASSWORD_FILE, value: /run/tidegate/database/password}
- {name: TIDEGATE_DATABASE_POOLER, value: {{ .Values.database.pooler | quote }}}
- {name: TIDEGATE_MASTER_KEY_FILE, value: /run/tidegate/master/key}
{{- if .Values.storage.bucket.existingSecret }}
- {name: TIDEGATE_REGISTRY_STORAGE_FILE, value: {{ printf "/run/tidegate/storage/%s" .Values.storage.bucket.key | quote }}}
{{- else }}
- {name: TIDEGATE_REGISTRY_STORAGE, value: /var/lib/registry}
{{- end }}
- {name: TIDEGATE_LISTEN_ADDRESS, value: {{ if has "IPv6" .Values.service.ipFamilies }}"::"{{ else }}0.0.0.0{{ end }}}
- {name: TIDEGATE_HTTPS_PORT, value: "8443"}
- {name: TIDEGATE_HTTP_PORT, value: "8080"}
- {name: TIDEGATE_METRICS_ADDRESS, value: {{ if has "IPv6" .Values.service.ipFamilies }}"[::]:9090"{{ else }}"0.0.0.0:9090"{{ end }}}
{{- if .Values.tls.existingSecret }}
- {name: TIDEGATE_TLS_CERTIFICATE, value: /run/tidegate/tls/tls.crt}
- {name: TIDEGATE_TLS_KEY, value: /run/tidegate/tls/tls.key}
{{- else }}
- {name: TIDEGATE_TLS, value: "false"}
{{- end }}
{{- if .Values.trustedProxies }}
- {name: TIDEGATE_TRUSTED_PROXIES, value: {{ join "," .Values.trustedProxies | quote }}}
{{- end }}
{{- if .Values.backup.recipients }}
- {name: TIDEGATE_BACKUP_DIRECTORY, value: /var/lib/tidegate-backups}
- {name: TIDEGATE_BACKUP_RECIPIENTS, value: {{ join "," .Values.backup.recipients | quote }}}
{{- end }}
{{- if .Values.authorities.configMap }}
- {name: SSL_CERT_FILE, value: /run/tidegate/authorities/ca.crt}
{{- end }}
{{- range $name := keys .Values.settings | sortAlpha }}
{{- $value := index $.Values.settings $name }}
- {name: TIDEGATE_{{ upper $name }}, value: {{ (kindIs "float64" $value | ternary (printf "%.0f" $value) ($value | toString)) | quote }}}
{{- end }}
{{- end }}

{{- define "tidegate.secretMounts" -}}
- {name: database, mountPath: /run/tidegate/database, readOnly: true}
- {name: master-key, mountPath: /run/tidegate/master, readOnly: true}
{{- if .Values.tls.existingSecret }}
- {name: tls, mountPath: /run/tidegate/tls, readOnly: true}
{{- end }}
{{- if .Values.authorities.configMap }}
- {name: authorities, mountPath: /run/tidegate/authorities, readOnly: true}
{{- end }}
{{- if .Values.storage.bucket.existingSecret }}
- {name: storage, mountPath: /run/tidegate/storage, readOnly: true}
{{- end }}
{{- end }}

{{- define "tidegate.secretVolumes" -}}
- name: database
  secret:
    secretName: {{ .Values.database.existingSecret }}
    defaultMode: 0440
    items: [{key: {{ .Values.database.key | quote }}, path: password}]
- name: master-key
  secret:
    secretName: {{ .Values.masterKey.existingSecret }}
    defaultMode: 0440
    items: [{key: {{ .Values.masterKey.key | quote }}, path: key}]
{{- if .Values.tls.existingSecret }}
- name: tls
  secret: {secretName: {{ .Values.tls.existingSecret }}, defaultMode: 0440}
{{- end }}
{{- if .Values.storage.bucket.existingSecret }}
- name: storage
  secret: {secretName: {{ .Values.storage.bucket.existingSecret }}, defaultMode: 0440}
{{- end }}
{{- if .Values.authorities.configMap }}
- name: authorities
  configMap:
    name: {{ .Values.authorities.configMap }}
    items: [{key: {{ .Values.authorities.key | quote }}, path: ca.crt}]
{{- end }}
{{- end }}

{{- define "tidegate.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}
