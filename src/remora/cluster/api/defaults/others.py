"""Defaults of the remaining kinds."""

import base64

from remora.cluster.api.defaults.values import Default, Object, fill, part, parts

_RBAC = "rbac.authorization.k8s.io"


def _default_namespace(namespace: Object) -> None:
    labels = part(namespace["metadata"], "labels")
    labels["kubernetes.io/metadata.name"] = namespace["metadata"].get("name", "")
    if not namespace["metadata"].get("deletionTimestamp"):
        fill(part(namespace, "spec"), finalizers=["kubernetes"])
    fill(part(namespace, "status"), phase="Active")


def _default_node(node: Object) -> None:
    part(node, "spec")
    status = part(node, "status")
    if status.get("capacity"):
        fill(status, allocatable=status["capacity"])


def _default_secret(secret: Object) -> None:
    fill(secret, type="Opaque")
    text = secret.pop("stringData", None)
    if text:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in text.items()}
        secret["data"] = {**(secret.get("data") or {}), **encoded}


def _default_event(event: Object) -> None:
    part(event, "involvedObject")
    part(event, "source")
    for name in ("firstTimestamp", "lastTimestamp", "eventTime"):
        event.setdefault(name, None)
    fill(event, reportingComponent="", reportingInstance="")


def _default_endpoints(endpoints: Object) -> None:
    for subset in parts(endpoints, "subsets"):
        for port in parts(subset, "ports"):
            fill(port, protocol="TCP")


def _default_endpointslice(endpointslice: Object) -> None:
    endpointslice.setdefault("endpoints", None)
    endpointslice.setdefault("ports", None)
    for port in parts(endpointslice, "ports"):
        fill(port, name="", protocol="TCP")


def _default_ingress(ingress: Object) -> None:
    fill(part(ingress, "status"), loadBalancer={})


def _default_ingress_class(ingress_class: Object) -> None:
    parameters = part(ingress_class, "spec").get("parameters")
    if isinstance(parameters, dict):
        fill(parameters, scope="Cluster")


def _default_network_policy(policy: Object) -> None:
    spec = part(policy, "spec")
    part(spec, "podSelector")
    fill(spec, policyTypes=["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    for rule in (*parts(spec, "ingress"), *parts(spec, "egress")):
        for port in parts(rule, "ports"):
            fill(port, protocol="TCP")


def _default_binding(binding: Object) -> None:
    fill(part(binding, "roleRef"), apiGroup=_RBAC)
    for subject in parts(binding, "subjects"):
        if subject.get("kind") in ("User", "Group"):
            fill(subject, apiGroup=_RBAC)


def _default_role(role: Object) -> None:
    role.setdefault("rules", None)


def _default_storage_class(storage_class: Object) -> None:
    fill(storage_class, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _default_volume(volume: Object) -> None:
    fill(part(volume, "spec"), persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")
    fill(part(volume, "status"), phase="Pending")


def _default_volume_claim(claim: Object) -> None:
    fill(part(claim, "spec"), volumeMode="Filesystem")
    fill(part(claim, "status"), phase="Pending")


OTHERS: dict[str, Default] = {
    f"clusterrolebindings.{_RBAC}": _default_binding,
    f"clusterroles.{_RBAC}": _default_role,
    "endpoints": _default_endpoints,
    "endpointslices.discovery.k8s.io": _default_endpointslice,
    "events": _default_event,
    "ingressclasses.networking.k8s.io": _default_ingress_class,
    "ingresses.networking.k8s.io": _default_ingress,
    "namespaces": _default_namespace,
    "networkpolicies.networking.k8s.io": _default_network_policy,
    "nodes": _default_node,
    "persistentvolumeclaims": _default_volume_claim,
    "persistentvolumes": _default_volume,
    f"rolebindings.{_RBAC}": _default_binding,
    f"roles.{_RBAC}": _default_role,
    "secrets": _default_secret,
    "storageclasses.storage.k8s.io": _default_storage_class,
}
