"""Defaults of kinds that nothing here acts on."""

from remora.cluster.api.defaults.values import Default, Object, fill, part, parts


def _default_driver(driver: Object) -> None:
    fill(
        part(driver, "spec"),
        attachRequired=True,
        podInfoOnMount=False,
        storageCapacity=False,
        fsGroupPolicy="ReadWriteOnceWithFSType",
        volumeLifecycleModes=["Persistent"],
        requiresRepublish=False,
        seLinuxMount=False,
    )


def _default_node(node: Object) -> None:
    part(node, "spec").setdefault("drivers", None)


def _default_attachment(attachment: Object) -> None:
    part(attachment, "status").setdefault("attached", False)


def _default_priority(priority: Object) -> None:
    fill(priority, value=0, preemptionPolicy="PreemptLowerPriority")


def _default_request(request: Object) -> None:
    part(request, "status")


def _default_flow_schema(schema: Object) -> None:
    fill(part(schema, "spec"), matchingPrecedence=1000)
    part(schema, "status")


def _default_priority_level(level: Object) -> None:
    spec = part(level, "spec")
    if spec.get("type") == "Limited":
        limited = part(spec, "limited")
        fill(limited, nominalConcurrencyShares=30, lendablePercent=0)
        response = part(limited, "limitResponse")
        if response.get("type") == "Queue":
            fill(part(response, "queuing"), queues=64, handSize=8, queueLengthLimit=50)
    elif spec.get("type") == "Exempt":
        fill(part(spec, "exempt"), nominalConcurrencyShares=0, lendablePercent=0)
    part(level, "status")


def _default_limits(limits: Object) -> None:
    """A container has its greatest as limit, and that limit, or the least, as request (`SetDefaults_LimitRangeItem`)."""
    for item in parts(part(limits, "spec"), "limits"):
        if item.get("type") != "Container":
            continue
        default, request = part(item, "default"), part(item, "defaultRequest")
        for name, value in (item.get("max") or {}).items():
            default.setdefault(name, value)
        for name, value in {**(item.get("min") or {}), **default}.items():
            request.setdefault(name, value)


def _default_status(obj: Object) -> None:
    part(obj, "status")


KEPT: dict[str, Default] = {
    "certificatesigningrequests.certificates.k8s.io": _default_request,
    "csidrivers.storage.k8s.io": _default_driver,
    "csinodes.storage.k8s.io": _default_node,
    "flowschemas.flowcontrol.apiserver.k8s.io": _default_flow_schema,
    "limitranges": _default_limits,
    "priorityclasses.scheduling.k8s.io": _default_priority,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": _default_priority_level,
    "resourcequotas": _default_status,
    "servicecidrs.networking.k8s.io": _default_status,
    "volumeattachments.storage.k8s.io": _default_attachment,
}
