{{- define "dynamirror.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "dynamirror.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dynamirror.labels" -}}
{{ include "dynamirror.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* A changed file or token is another pod template, so that the pods are replaced one by one. */}}
{{- define "dynamirror.podAnnotations" -}}
{{- if and .Values.fleet .Values.restartOnChange }}
checksum/fleet: {{ .Values.fleet | sha256sum }}
{{- end }}
{{- if or .Values.tokens.admin .Values.tokens.read }}
checksum/tokens: {{ printf "%s\n%s" .Values.tokens.admin .Values.tokens.read | sha256sum }}
{{- end }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}
