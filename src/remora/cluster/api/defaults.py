"""What Kubernetes fills in where a manifest says nothing (`pkg/apis/*/v1/defaults.go`), by the registry's resource names."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from remora.cluster.api.pod_defaults import fill, set_pod_defaults, set_pod_spec_defaults

Object = dict[str, Any]


def set_defaults(resource: str, obj: Object) -> None:
    """Fills an object that nobody else has yet; what has the wrong type is left for the checks to refuse."""
    setter = _SETTERS.get(resource)
    if setter is not None:
        setter(obj)


def _spec(obj: Object) -> Object:
    if not isinstance(obj.get("spec"), dict):
        obj["spec"] = {}
    spec: Object = obj["spec"]
    return spec


def _set_template(spec: Object) -> None:
    template = spec.get("template")
    if not isinstance(template, dict):
        return
    template.setdefault("metadata", {})
    if isinstance(template.get("spec"), dict):
        set_pod_spec_defaults(template["spec"])


def _namespace(obj: Object) -> None:
    metadata = obj["metadata"]
    metadata["labels"] = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata.get("name", "")}
    if not metadata.get("deletionTimestamp"):
        fill(_spec(obj), {"finalizers": ["kubernetes"]})
    fill(obj, {"status": {}})
    fill(obj["status"], {"phase": "Active"})


def _rolling(strategy: Object, values: Object) -> None:
    fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        fill(strategy, {"rollingUpdate": {}})
        fill(strategy["rollingUpdate"], values)


def _deployment(obj: Object) -> None:
    spec = _spec(obj)
    fill(spec, {"replicas": 1, "strategy": {}, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    _rolling(spec["strategy"], {"maxUnavailable": "25%", "maxSurge": "25%"})
    _set_template(spec)
    fill(obj, {"status": {}})


def _replica_set(obj: Object) -> None:
    fill(_spec(obj), {"replicas": 1})
    _set_template(_spec(obj))
    fill(obj, {"status": {"replicas": 0}})


def _replication_controller(obj: Object) -> None:
    spec = _spec(obj)
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if labels:
        fill(spec, {"selector": dict(labels)})
    _replica_set(obj)


def _stateful_set(obj: Object) -> None:
    spec = _spec(obj)
    fill(spec, {"replicas": 1, "podManagementPolicy": "OrderedReady", "updateStrategy": {}, "revisionHistoryLimit": 10})
    _rolling(spec["updateStrategy"], {"partition": 0})
    fill(spec, {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}})
    _set_template(spec)
    for claim in spec.get("volumeClaimTemplates") or ():
        _volume_claim(claim)
    fill(obj, {"status": {"replicas": 0, "availableReplicas": 0}})


def _daemon_set(obj: Object) -> None:
    spec = _spec(obj)
    fill(spec, {"updateStrategy": {}, "revisionHistoryLimit": 10})
    _rolling(spec["updateStrategy"], {"maxUnavailable": 1, "maxSurge": 0})
    _set_template(spec)
    counts = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
    fill(obj, {"status": dict.fromkeys(counts, 0)})


def _pod_template(obj: Object) -> None:
    _set_template(obj)


def _service(obj: Object) -> None:
    spec = _spec(obj)
    fill(spec, {"type": "ClusterIP", "sessionAffinity": "None"})
    if spec["sessionAffinity"] == "ClientIP":
        fill(spec, {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}})
    for port in spec.get("ports") or ():
        fill(port, {"protocol": "TCP"})
        if port.get("targetPort") in (None, "", 0):
            port["targetPort"] = port.get("port")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        fill(spec, {"externalTrafficPolicy": "Cluster"})
    else:
        spec.pop("externalTrafficPolicy", None)
    if spec["type"] == "LoadBalancer":
        fill(spec, {"allocateLoadBalancerNodePorts": True})
    if spec["type"] != "ExternalName":
        fill(spec, {"internalTrafficPolicy": "Cluster"})
    fill(obj, {"status": {}})
    fill(obj["status"], {"loadBalancer": {}})


def _ingress(obj: Object) -> None:
    fill(obj, {"status": {}})
    fill(obj["status"], {"loadBalancer": {}})


def _ingress_class(obj: Object) -> None:
    parameters = _spec(obj).get("parameters")
    if parameters:
        fill(parameters, {"scope": "Cluster"})


def _network_policy(obj: Object) -> None:
    spec = _spec(obj)
    fill(spec, {"podSelector": {}})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for rule in [*(spec.get("ingress") or ()), *(spec.get("egress") or ())]:
        for port in rule.get("ports") or ():
            fill(port, {"protocol": "TCP"})


def _secret(obj: Object) -> None:
    fill(obj, {"type": "Opaque"})
    plain = obj.pop("stringData", None)
    if isinstance(plain, dict) and plain:
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


def _endpoints(obj: Object) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            fill(port, {"protocol": "TCP"})


def _endpoint_slice(obj: Object) -> None:
    for port in obj.get("ports") or ():
        fill(port, {"name": "", "protocol": "TCP"})


def _event(obj: Object) -> None:
    fill(obj, {"source": {}, "reportingComponent": "", "reportingInstance": ""})
    for name in ("firstTimestamp", "lastTimestamp", "eventTime"):
        obj.setdefault(name, None)


def _job(obj: Object) -> None:
    spec = _spec(obj)
    _set_job_spec(spec)
    uid = obj["metadata"].get("uid")
    if uid and not spec.get("manualSelector") and not spec.get("selector") and isinstance(spec.get("template"), dict):
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
        metadata = spec["template"].setdefault("metadata", {})
        owner = {"controller-uid": uid, "job-name": obj["metadata"].get("name", "")}
        labels = {**owner, **{f"batch.kubernetes.io/{key}": value for key, value in owner.items()}}
        metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    fill(obj, {"status": {}})


def _set_job_spec(spec: Object) -> None:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    values = {"parallelism": 1, "backoffLimit": 6, "completionMode": "NonIndexed", "suspend": False, "manualSelector": False}
    fill(spec, {**values, "podReplacementPolicy": "TerminatingOrFailed"})
    _set_template(spec)


def _cron_job(obj: Object) -> None:
    spec = _spec(obj)
    fill(spec, {"concurrencyPolicy": "Allow", "suspend": False, "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1})
    if isinstance(spec.get("jobTemplate"), dict) and isinstance(spec["jobTemplate"].get("spec"), dict):
        spec["jobTemplate"].setdefault("metadata", {})
        _set_template(spec["jobTemplate"]["spec"])
    fill(obj, {"status": {}})


def _volume_claim(obj: Object) -> None:
    fill(_spec(obj), {"volumeMode": "Filesystem"})
    fill(obj, {"status": {}})
    fill(obj["status"], {"phase": "Pending"})


def _volume(obj: Object) -> None:
    fill(_spec(obj), {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"})
    fill(obj, {"status": {}})
    fill(obj["status"], {"phase": "Pending"})


def _storage_class(obj: Object) -> None:
    fill(obj, {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"})


def _autoscaler(obj: Object) -> None:
    spec = _spec(obj)
    fill(spec, {"minReplicas": 1})
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    fill(obj, {"status": {"currentMetrics": None, "desiredReplicas": 0}})


def _with_empty_status(obj: Object) -> None:
    fill(obj, {"status": {}})


def _disruption_budget(obj: Object) -> None:
    counts = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    fill(obj, {"status": dict.fromkeys(counts, 0)})


def _binding(obj: Object) -> None:
    group = "rbac.authorization.k8s.io"
    if isinstance(obj.get("roleRef"), dict):
        fill(obj["roleRef"], {"apiGroup": group})
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            fill(subject, {"apiGroup": group})


_SETTERS: Mapping[str, Callable[[Object], None]] = {
    "namespaces": _namespace,
    "pods": set_pod_defaults,
    "podtemplates": _pod_template,
    "services": _service,
    "endpoints": _endpoints,
    "secrets": _secret,
    "events": _event,
    "nodes": _with_empty_status,
    "resourcequotas": _with_empty_status,
    "replicationcontrollers": _replication_controller,
    "persistentvolumes": _volume,
    "persistentvolumeclaims": _volume_claim,
    "deployments.apps": _deployment,
    "replicasets.apps": _replica_set,
    "statefulsets.apps": _stateful_set,
    "daemonsets.apps": _daemon_set,
    "jobs.batch": _job,
    "cronjobs.batch": _cron_job,
    "endpointslices.discovery.k8s.io": _endpoint_slice,
    "ingresses.networking.k8s.io": _ingress,
    "ingressclasses.networking.k8s.io": _ingress_class,
    "networkpolicies.networking.k8s.io": _network_policy,
    "poddisruptionbudgets.policy": _disruption_budget,
    "horizontalpodautoscalers.autoscaling": _autoscaler,
    "storageclasses.storage.k8s.io": _storage_class,
    "rolebindings.rbac.authorization.k8s.io": _binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _binding,
}
