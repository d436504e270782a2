"""Defaults of pods and pod templates."""

from remora.cluster.api.defaults.values import Object, fill, part, parts

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_RW_R_R = 0o644
_LOST_NODE = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_PATIENCE = 300


def default_pod(pod: Object) -> None:
    """Defaults of a pod, and what Kubernetes' admission adds: account, priority, patience with a lost node."""
    spec = part(pod, "spec")
    fill(spec, serviceAccountName="default")
    default_pod_spec(spec)
    fill(spec, enableServiceLinks=True, priority=0, preemptionPolicy="PreemptLowerPriority")
    _default_tolerations(spec)
    for container in _containers(spec):
        _default_requests(container)
    fill(part(pod, "status"), phase="Pending", qosClass=quality_of_service(spec))


def default_pod_status(pod: Object) -> None:
    """`podIPs` begins with `podIP`, whichever of the two was given."""
    status = part(pod, "status")
    if status.get("podIP"):
        fill(status, podIPs=[{"ip": status["podIP"]}])
    elif status.get("podIPs"):
        status["podIP"] = status["podIPs"][0]["ip"]


def _default_tolerations(spec: Object) -> None:
    """Five minutes on a node that is lost (admission plug-in DefaultTolerationSeconds)."""
    given = parts(spec, "tolerations")
    for key in _LOST_NODE:
        if not any(toleration.get("key") in (key, None, "") for toleration in given):
            toleration = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _PATIENCE}
            spec["tolerations"] = [*(spec.get("tolerations") or ()), toleration]


def default_template(template: Object) -> None:
    part(template, "metadata")
    default_pod_spec(part(template, "spec"))


def default_pod_spec(spec: Object) -> None:
    fill(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        securityContext={},
        schedulerName="default-scheduler",
    )
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    for container in _containers(spec):
        _default_container(container)
    for volume in parts(spec, "volumes"):
        _default_volume(volume)
    if spec.get("hostNetwork"):
        for port in (port for container in _containers(spec) for port in parts(container, "ports")):
            fill(port, hostPort=port.get("containerPort"))


def _containers(spec: Object) -> list[Object]:
    return [*parts(spec, "initContainers"), *parts(spec, "containers"), *parts(spec, "ephemeralContainers")]


def _default_container(container: Object) -> None:
    fill(
        container,
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy=pull_policy(str(container.get("image") or "")),
        resources={},
    )
    for port in parts(container, "ports"):
        fill(port, protocol="TCP")
    for variable in parts(container, "env"):
        source = variable.get("valueFrom") or {}
        if "fieldRef" in source:
            fill(source["fieldRef"], apiVersion="v1")
    for name in _PROBES:
        if isinstance(container.get(name), dict):
            _default_probe(container[name])
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _default_http_get(hook)


def pull_policy(image: str) -> str:
    """`Always` for the tag `latest` or none, else `IfNotPresent`."""
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if "@" not in image and tag in ("", "latest") else "IfNotPresent"


def _default_probe(probe: Object) -> None:
    fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    _default_http_get(probe)
    if probe.get("grpc"):
        probe["grpc"].setdefault("service", "")


def _default_http_get(action: Object) -> None:
    if action.get("httpGet"):
        fill(action["httpGet"], path="/", scheme="HTTP")


def _default_requests(container: Object) -> None:
    """A limit without a request asks for as much."""
    resources = container["resources"]
    if resources.get("limits"):
        resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}


def _default_volume(volume: Object) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for source in ("secret", "configMap", "downwardAPI", "projected"):
        if isinstance(volume.get(source), dict):
            fill(volume[source], defaultMode=_RW_R_R)
    if isinstance(volume.get("hostPath"), dict):
        volume["hostPath"].setdefault("type", "")
    for item in parts(volume.get("downwardAPI") or {}, "items"):
        if item.get("fieldRef"):
            fill(item["fieldRef"], apiVersion="v1")
    for source_of_many in parts(volume.get("projected") or {}, "sources"):
        if source_of_many.get("serviceAccountToken"):
            fill(source_of_many["serviceAccountToken"], expirationSeconds=3600)


def quality_of_service(spec: Object) -> str:
    """`status.qosClass` (Kubernetes `ComputePodQOS`)."""
    counted = (*parts(spec, "initContainers"), *parts(spec, "containers"))
    resources = [container.get("resources") or {} for container in counted]
    if not any(each.get("limits") or each.get("requests") for each in resources):
        return "BestEffort"
    return "Guaranteed" if all(_is_guaranteed(each) for each in resources) else "Burstable"


def _is_guaranteed(resources: Object) -> bool:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return {"cpu", "memory"} <= set(limits) and all(requests.get(name, limit) == limit for name, limit in limits.items())
