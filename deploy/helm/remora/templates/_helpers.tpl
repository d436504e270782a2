{{- define "remora.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "remora.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "remora.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "remora.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "remora.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "remora.controller" -}}{{ include "remora.fullname" . }}-controller{{- end -}}
{{- define "remora.peers" -}}{{ include "remora.fullname" . }}-peers{{- end -}}
{{- define "remora.admission" -}}{{ include "remora.fullname" . }}-admission{{- end -}}
{{- define "remora.defaultBackend" -}}{{ include "remora.fullname" . }}-{{ .Values.defaultBackend.name }}{{- end -}}
{{- define "remora.electionID" -}}{{ default (printf "%s-leader" (include "remora.fullname" .)) .Values.controller.electionID }}{{- end -}}
{{- define "remora.scope" -}}{{ default (include "remora.namespace" .) .Values.controller.scope.namespace }}{{- end -}}

{{- define "remora.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "remora.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "remora.selector" -}}
app.kubernetes.io/name: {{ include "remora.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "remora.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/name: {{ include "remora.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: {{ include "remora.name" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "remora.image" -}}
{{- $image := .image -}}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.image }}:{{ default .appVersion $image.tag }}
{{- with $image.digest }}@{{ . }}{{ end }}
{{- end -}}

{{- define "remora.flags" -}}
{{- $c := .Values.controller -}}
{{- if and $c.publishService.enabled $c.service.enabled }}
- --publish-service={{ default (printf "$(POD_NAMESPACE)/%s" (include "remora.controller" .)) $c.publishService.pathOverride }}
{{- end }}
- --configmap=$(POD_NAMESPACE)/{{ include "remora.controller" . }}
- --bind-address=$(POD_IP)
- --state-dir=/var/lib/remora
{{- if $c.separateProxy.enabled }}
- --external-proxy
{{- end }}
- --http-port={{ $c.containerPort.http }}
- --https-port={{ $c.containerPort.https }}
- --healthz-port={{ $c.metrics.port }}
- --health-check-path={{ $c.healthCheckPath }}
- --ingress-class={{ $c.ingressClass }}
- --controller-class={{ $c.ingressClassResource.controllerValue }}
- --election-id={{ include "remora.electionID" . }}
- --shutdown-grace-period={{ $c.shutdownGracePeriod }}
{{- with $c.electionTTL }}
- --election-ttl={{ . }}
{{- end }}
{{- if $c.peers.enabled }}
- --peers-service=$(POD_NAMESPACE)/{{ include "remora.peers" . }}
- --peers-port={{ $c.peers.port }}
{{- end }}
{{- if $c.disableLeaderElection }}
- --disable-leader-election
{{- end }}
{{- if $c.ingressClassByName }}
- --ingress-class-by-name
{{- end }}
{{- if $c.watchIngressWithoutClass }}
- --watch-ingress-without-class
{{- end }}
{{- if $c.reportNodeInternalIp }}
- --report-node-internal-ip-address
{{- end }}
{{- if $c.enableTopologyAwareRouting }}
- --enable-topology-aware-routing
{{- end }}
{{- if $c.scope.enabled }}
- --watch-namespace={{ include "remora.scope" . }}
{{- end }}
{{- if .Values.defaultBackend.enabled }}
- --default-backend-service=$(POD_NAMESPACE)/{{ include "remora.defaultBackend" . }}
{{- end }}
{{- if .Values.tcp }}
- --tcp-services-configmap=$(POD_NAMESPACE)/{{ include "remora.fullname" . }}-tcp
{{- end }}
{{- if .Values.udp }}
- --udp-services-configmap=$(POD_NAMESPACE)/{{ include "remora.fullname" . }}-udp
{{- end }}
{{- if $c.metrics.enabled }}
- --enable-metrics
{{- end }}
{{- if $c.admissionWebhooks.enabled }}
- --validating-webhook=:{{ $c.admissionWebhooks.port }}
- --validating-webhook-certificate=/etc/remora/webhook/tls.crt
- --validating-webhook-key=/etc/remora/webhook/tls.key
{{- end }}
{{- range $name, $value := $c.extraArgs }}
- --{{ $name }}{{ if not (kindIs "invalid" $value) }}{{ if ne (toString $value) "" }}={{ $value }}{{ end }}{{ end }}
{{- end }}
{{- end -}}

{{- define "remora.containerSecurity" -}}
{{- if .containerSecurityContext }}
{{- toYaml .containerSecurityContext }}
{{- else }}
allowPrivilegeEscalation: {{ .image.allowPrivilegeEscalation }}
readOnlyRootFilesystem: {{ .image.readOnlyRootFilesystem }}
capabilities:
  drop: [ALL]
  add: [NET_BIND_SERVICE]
{{- end }}
{{- end -}}

{{- define "remora.routeRules" -}}
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [list, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [services, secrets, configmaps]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch{{ if hasKey .Values.controller.extraArgs "publish-session-counts" }}, patch{{ end }}]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
