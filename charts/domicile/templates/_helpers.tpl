{{/* By these the operator's pods are found. */}}
{{- define "domicile.selector" -}}
app.kubernetes.io/name: domicile
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "domicile.labels" -}}
{{ include "domicile.selector" . }}
app.kubernetes.io/part-of: domicile
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "domicile.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Files as they are, but that they stay when the release goes: with them would go every object of theirs. */}}
{{- define "domicile.kept" -}}
{{- range $path, $_ := .files }}
---
{{ $.root.Files.Get $path | trim | replace "\nmetadata:\n" "\nmetadata:\n  annotations:\n    helm.sh/resource-policy: keep\n" }}
{{- end }}
{{- end }}
