"""Defaults of Services; addresses and node ports are given by an admission hook."""

from remora.cluster.api.defaults.values import Object, fill, part, parts

_CLIENT_IP_TIMEOUT = 10_800
_ENTERED_FROM_OUTSIDE = ("NodePort", "LoadBalancer")


def default_service(service: Object) -> None:
    spec = part(service, "spec")
    fill(spec, type="ClusterIP", sessionAffinity="None")
    for port in parts(spec, "ports"):
        fill(port, protocol="TCP")
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port")
    if spec["sessionAffinity"] == "ClientIP":
        fill(part(part(spec, "sessionAffinityConfig"), "clientIP"), timeoutSeconds=_CLIENT_IP_TIMEOUT)
    else:
        spec.pop("sessionAffinityConfig", None)
    _default_by_type(spec)
    fill(part(service, "status"), loadBalancer={})


def _default_by_type(spec: Object) -> None:
    """Fills in what the type has, and drops what only another type has (Kubernetes `dropTypeDependentFields`)."""
    kind = spec["type"]
    if kind != "ExternalName":
        fill(spec, internalTrafficPolicy="Cluster")
        spec.pop("externalName", None)
    if kind in _ENTERED_FROM_OUTSIDE:
        fill(spec, externalTrafficPolicy="Cluster")
    else:
        spec.pop("externalTrafficPolicy", None)
        spec.pop("healthCheckNodePort", None)
    if kind == "LoadBalancer":
        fill(spec, allocateLoadBalancerNodePorts=True)
    else:
        spec.pop("allocateLoadBalancerNodePorts", None)
        spec.pop("loadBalancerClass", None)
