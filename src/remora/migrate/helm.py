"""What becomes of the values of ingress-nginx's Helm chart: a row for each, and the flags and ConfigMap that they make."""

from collections.abc import Iterator, Mapping
from typing import Any

from remora.migrate.rows import Row
from remora.report.findings import Verdict

Values = Mapping[str, Any]

_STAYS, _DIFFERS, _IDLE, _REFUSED = Verdict.HONOURED, Verdict.DIFFERENT, Verdict.WITHOUT_EFFECT, Verdict.REFUSED

_BECOMES = {
    "controller.electionID": "election-id",
    "controller.ingressClassResource.controllerValue": "controller-class",
    "controller.ingressClassResource.name": "ingress-class",
    "controller.ingressClass": "ingress-class",
    "controller.watchIngressWithoutClass": "watch-ingress-without-class",
    "controller.ingressClassByName": "ingress-class-by-name",
    "controller.reportNodeInternalIp": "report-node-internal-ip-address",
    "controller.publishService.pathOverride": "publish-service",
    "controller.scope.namespaceSelector": "watch-namespace-selector",
    "controller.healthCheckPath": "health-check-path",
    "controller.enableTopologyAwareRouting": "enable-topology-aware-routing",
    "controller.disableLeaderElection": "disable-leader-election",
    "controller.metrics.enabled": "enable-metrics",
    "controller.maxmindLicenseKey": "maxmind-license-key",
    "controller.enableAnnotationValidations": "enable-annotation-validation",
}
"""Values that the chart makes a flag of."""

_NOTES: dict[str, tuple[Verdict, str]] = {
    "commonLabels": (_DIFFERS, "add them to the manifests that are written"),
    "nameOverride": (_IDLE, "names of the chart's objects"),
    "fullnameOverride": (_IDLE, "names of the chart's objects"),
    "imagePullSecrets": (_DIFFERS, "for Remora's image, if it is in a private registry"),
    "controller.name": (_IDLE, "names of the chart's objects"),
    "controller.image": (_IDLE, "Remora has an image of its own"),
    "controller.containerName": (_IDLE, ""),
    "controller.containerPort": (_DIFFERS, "--http-port and --https-port; the manifests have 80 and 443"),
    "controller.config": (_STAYS, "the ConfigMap, judged key by key"),
    "controller.configAnnotations": (_IDLE, ""),
    "controller.proxySetHeaders": (_DIFFERS, "write the ConfigMap yourself, and name it as proxy-set-headers"),
    "controller.addHeaders": (_DIFFERS, "write the ConfigMap yourself, and name it as add-headers"),
    "controller.allowSnippetAnnotations": (_STAYS, "the key allow-snippet-annotations of the ConfigMap"),
    "controller.hostNetwork": (_DIFFERS, "two controllers cannot share a port of a node: set it after the switch"),
    "controller.hostPort": (_DIFFERS, "two controllers cannot share a port of a node: set it after the switch"),
    "controller.dnsPolicy": (_STAYS, "carried over"),
    "controller.dnsConfig": (_STAYS, "carried over"),
    "controller.ingressClassResource.enabled": (_STAYS, "the IngressClass that is there goes on being used"),
    "controller.ingressClassResource.default": (_STAYS, "the IngressClass that is there goes on being used"),
    "controller.ingressClassResource.parameters": (_IDLE, ""),
    "controller.publishService.enabled": (_STAYS, "Ingresses keep the address of the entry Service"),
    "controller.scope.enabled": (_STAYS, "becomes --watch-namespace"),
    "controller.scope.namespace": (_STAYS, "becomes --watch-namespace"),
    "controller.configMapNamespace": (_STAYS, ""),
    "controller.tcp": (_STAYS, ""),
    "controller.udp": (_REFUSED, "HAProxy forwards no UDP"),
    "controller.extraArgs": (_STAYS, "flags, judged one by one"),
    "controller.extraEnvs": (_DIFFERS, "Remora reads other variables; look whether any is needed"),
    "controller.kind": (_DIFFERS, "a Deployment is written; make it a DaemonSet if that is what you need"),
    "controller.annotations": (_IDLE, ""),
    "controller.labels": (_IDLE, ""),
    "controller.podLabels": (_DIFFERS, "not carried over: the entry Service must not select Remora's pods before the switch"),
    "controller.podAnnotations": (_DIFFERS, "add it to the Deployment that is written"),
    "controller.podSecurityContext": (_DIFFERS, "Remora's manifests have a stricter one"),
    "controller.containerSecurityContext": (_DIFFERS, "Remora's manifests have a stricter one"),
    "controller.sysctls": (_DIFFERS, "add them to the pod's securityContext"),
    "controller.updateStrategy": (_DIFFERS, "add it to the Deployment that is written"),
    "controller.minReadySeconds": (_DIFFERS, "add it to the Deployment that is written"),
    "controller.tolerations": (_STAYS, "carried over"),
    "controller.affinity": (_DIFFERS, "carried over; its selectors name ingress-nginx's pods: look at them"),
    "controller.topologySpreadConstraints": (_DIFFERS, "carried over; its selectors name ingress-nginx's pods: look at them"),
    "controller.terminationGracePeriodSeconds": (_STAYS, "carried over"),
    "controller.nodeSelector": (_STAYS, "carried over"),
    "controller.priorityClassName": (_STAYS, "carried over"),
    "controller.livenessProbe": (_DIFFERS, "Remora's manifests have their own"),
    "controller.readinessProbe": (_DIFFERS, "Remora's manifests have their own"),
    "controller.startupProbe": (_DIFFERS, "Remora's manifests have their own"),
    "controller.healthCheckHost": (_DIFFERS, "--healthz-host"),
    "controller.replicaCount": (_STAYS, "carried over"),
    "controller.minAvailable": (_DIFFERS, "write a PodDisruptionBudget for Remora's pods"),
    "controller.maxUnavailable": (_DIFFERS, "write a PodDisruptionBudget for Remora's pods"),
    "controller.resources": (_STAYS, "carried over"),
    "controller.autoscaling": (_DIFFERS, "write a HorizontalPodAutoscaler for Remora's Deployment"),
    "controller.autoscalingTemplate": (_DIFFERS, "write a HorizontalPodAutoscaler for Remora's Deployment"),
    "controller.keda": (_DIFFERS, "point the ScaledObject at Remora's Deployment"),
    "controller.enableMimalloc": (_IDLE, "nginx's allocator"),
    "controller.customTemplate": (_REFUSED, "nginx's template means nothing to HAProxy"),
    "controller.service": (_STAYS, "the entry Service stays as it is; the switch changes its selector alone"),
    "controller.shareProcessNamespace": (_DIFFERS, "not carried over"),
    "controller.extraContainers": (_DIFFERS, "not carried over: what stands beside nginx may need nginx"),
    "controller.extraVolumeMounts": (_DIFFERS, "not carried over"),
    "controller.extraVolumes": (_DIFFERS, "not carried over"),
    "controller.extraInitContainers": (_DIFFERS, "not carried over"),
    "controller.extraModules": (_REFUSED, "nginx's modules mean nothing to HAProxy"),
    "controller.opentelemetry": (_DIFFERS, "Remora's spans need no module; see docs/observability.md"),
    "controller.admissionWebhooks": (_DIFFERS, "remove the old one with the chart; deploy/webhook.yaml has Remora's"),
    "controller.metrics": (_DIFFERS, "Service remora-controller-metrics; names of ingress-nginx's metrics stay"),
    "controller.lifecycle": (_IDLE, "Remora drains by itself"),
    "controller.networkPolicy": (_DIFFERS, "write one for Remora's pods"),
    "controller.existingPsp": (_IDLE, "pod security policies are gone"),
    "controller.hostname": (_IDLE, ""),
    "controller.hostAliases": (_STAYS, "carried over"),
    "controller.runtimeClassName": (_STAYS, "carried over"),
    "revisionHistoryLimit": (_IDLE, ""),
    "defaultBackend.enabled": (_DIFFERS, "keep its Deployment and Service, and name it: --default-backend-service"),
    "defaultBackend": (_DIFFERS, "keep its Deployment and Service, and name it: --default-backend-service"),
    "rbac": (_STAYS, "the manifests have the rights that Remora needs"),
    "podSecurityPolicy": (_IDLE, "pod security policies are gone"),
    "serviceAccount": (_DIFFERS, "Remora has its own; carry annotations of clouds over by hand"),
    "tcp": (_STAYS, "a ConfigMap of TCP services"),
    "udp": (_REFUSED, "HAProxy forwards no UDP; lead it past with a Service of its own"),
    "portNamePrefix": (_IDLE, ""),
    "dhParam": (_STAYS, "the key ssl-dh-param of the ConfigMap"),
}  # fmt: skip
"""By the value's path or its beginning; the longest that fits counts."""

_POD_FIELDS = (
    "dnsPolicy", "dnsConfig", "tolerations", "affinity", "topologySpreadConstraints", "terminationGracePeriodSeconds",
    "nodeSelector", "priorityClassName", "hostAliases", "runtimeClassName",
)  # fmt: skip
_OPEN = ("controller.config", "controller.extraArgs", "tcp", "udp")
"""Values whose keys are judged elsewhere, or are not the chart's."""


def is_values(document: Mapping[str, Any]) -> bool:
    """Whether a document is a file of values for the chart, rather than a manifest."""
    known = ("controller", "defaultBackend", "tcp", "udp", "rbac", "serviceAccount", "commonLabels")
    return "kind" not in document and isinstance(document.get("controller"), dict) and any(key in document for key in known)


def helm_rows(values: Values) -> Iterator[Row]:
    """A row for each value."""
    for path, value in _leaves(values, ""):
        yield Row("helm", path, _shown(value), *_judge(path))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value and path not in _OPEN:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif value not in (None, {}, [], ""):
        yield path, value


def _judge(path: str) -> tuple[Verdict, str]:
    if flag := _BECOMES.get(path):
        return _STAYS, f"becomes --{flag}, judged as a flag"
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        if found := _NOTES.get(".".join(parts[:length])):
            return found
    return Verdict.UNKNOWN, "no value of that name is known"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, Mapping | list) else str(value)


def find_value(values: Values, path: str) -> Any:
    """The value at a path; None if there is none."""
    found: Any = values
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def flags_of(values: Values) -> dict[str, str]:
    """The flags that the chart would give the controller."""
    flags = {flag: _shown(value) for path, flag in _BECOMES.items() if (value := find_value(values, path)) not in (None, "")}
    if find_value(values, "controller.scope.enabled"):
        flags["watch-namespace"] = str(find_value(values, "controller.scope.namespace") or "$(POD_NAMESPACE)")
    extra = find_value(values, "controller.extraArgs")
    flags |= {str(key): _shown(value) for key, value in extra.items()} if isinstance(extra, Mapping) else {}
    return flags


def settings_of(values: Values) -> dict[str, str]:
    """The data of the ConfigMap that the chart would write."""
    config = find_value(values, "controller.config")
    settings = {str(key): _shown(value) for key, value in config.items()} if isinstance(config, Mapping) else {}
    if (allows := find_value(values, "controller.allowSnippetAnnotations")) is not None:
        settings = {"allow-snippet-annotations": _shown(allows)} | settings
    return settings


def ports_of(values: Values, protocol: str) -> dict[str, str]:
    """The ports of `tcp` or `udp`, as in the ConfigMap."""
    found = values.get(protocol)
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, Mapping) else {}


def pod_fields(values: Values) -> dict[str, Any]:
    """What the chart puts into the pod as it stands."""
    controller = values.get("controller")
    found = controller if isinstance(controller, Mapping) else {}
    return {name: found[name] for name in _POD_FIELDS if found.get(name) not in (None, {}, [], "")}
