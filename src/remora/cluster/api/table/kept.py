"""Rows of kinds that nothing here acts on: storage drivers, priorities, requests for certificates and the like. Pure."""

from collections.abc import Mapping
from datetime import datetime

from remora.cluster.api.table.columns import AGE, GENERIC, NAME, NONE, Column, Object, at, count, field, human_duration, joined

_UNSET = "<unset>"


def _flag(path: str, *, default: bool = False) -> Column:
    name = path.rpartition(".")[2]
    return Column(name[0].upper() + name[1:], lambda obj, now: bool(at(obj, path, default)), type="boolean")


def _audiences(obj: Object, now: datetime) -> str:
    requests = at(obj, "spec.tokenRequests")
    return _UNSET if requests is None else joined(request.get("audience", "") for request in requests)


_CSI_DRIVERS = (
    NAME,
    _flag("spec.attachRequired", default=True),
    _flag("spec.podInfoOnMount"),
    _flag("spec.storageCapacity"),
    Column("TokenRequests", _audiences),
    _flag("spec.requiresRepublish"),
    Column("Modes", lambda obj, now: joined(at(obj, "spec.volumeLifecycleModes", ())) or NONE),
    AGE,
)
_CSI_NODES = (NAME, Column("Drivers", count("spec.drivers"), type="integer"), AGE)
_CSI_STORAGE_CAPACITIES = (NAME, Column("StorageClassName", field("storageClassName")), Column("Capacity", field("capacity")))
_ATTACHMENTS = (
    NAME,
    Column("Attacher", field("spec.attacher")),
    Column("PV", field("spec.source.persistentVolumeName")),
    Column("Node", field("spec.nodeName")),
    Column("Attached", lambda obj, now: bool(at(obj, "status.attached", False)), type="boolean"),
    AGE,
)
_ATTRIBUTES_CLASSES = (NAME, Column("DriverName", field("driverName")), AGE)
_PRIORITY_CLASSES = (
    NAME,
    Column("Value", lambda obj, now: int(at(obj, "value", 0)), type="integer"),
    Column("Global-Default", lambda obj, now: bool(at(obj, "globalDefault", False)), type="boolean"),
    AGE,
    Column("PreemptionPolicy", field("preemptionPolicy")),
)
_RUNTIME_CLASSES = (NAME, Column("Handler", field("handler")), AGE)


def _duration(obj: Object, now: datetime) -> str:
    seconds = at(obj, "spec.expirationSeconds")
    return NONE if seconds is None else human_duration(seconds)


def _request_condition(obj: Object, now: datetime) -> str:
    given = {condition.get("type") for condition in at(obj, "status.conditions", ())}
    words = ["Denied" if "Denied" in given else "Approved" if "Approved" in given else "Pending"]
    words += ["Failed"] if "Failed" in given else []
    words += ["Issued"] if at(obj, "status.certificate") else []
    return joined(words)


_SIGNING_REQUESTS = (
    NAME,
    AGE,
    Column("SignerName", field("spec.signerName", NONE)),
    Column("Requestor", field("spec.username")),
    Column("RequestedDuration", _duration),
    Column("Condition", _request_condition),
)


def _dangling(obj: Object, now: datetime) -> str:
    conditions = at(obj, "status.conditions", ())
    return next((str(condition.get("status")) for condition in conditions if condition.get("type") == "Dangling"), "?")


_FLOW_SCHEMAS = (
    NAME,
    Column("PriorityLevel", field("spec.priorityLevelConfiguration.name")),
    Column("MatchingPrecedence", field("spec.matchingPrecedence"), type="integer"),
    Column("DistinguisherMethod", field("spec.distinguisherMethod.type", NONE)),
    AGE,
    Column("MissingPL", _dangling),
)
_QUEUING = "spec.limited.limitResponse.queuing"
_PRIORITY_LEVELS = (
    NAME,
    Column("Type", field("spec.type")),
    Column("NominalConcurrencyShares", field("spec.limited.nominalConcurrencyShares", NONE)),
    Column("Queues", field(f"{_QUEUING}.queues", NONE)),
    Column("HandSize", field(f"{_QUEUING}.handSize", NONE)),
    Column("QueueLengthLimit", field(f"{_QUEUING}.queueLengthLimit", NONE)),
    AGE,
)


def _parent(obj: Object, now: datetime) -> str:
    parent = at(obj, "spec.parentRef", {})
    parts = (parent.get("group"), parent.get("resource"), parent.get("namespace"), parent.get("name"))
    return "/".join(part for part in parts if part)


_ADDRESSES = (NAME, Column("ParentRef", _parent), AGE)
_SERVICE_CIDRS = (NAME, Column("CIDRs", lambda obj, now: joined(at(obj, "spec.cidrs", ()))), AGE)


def _quota(wanted: str) -> Column:
    """What is used of each limit, of those whose name begins with `limits.`, or of the others."""

    def cell(obj: Object, now: datetime) -> str:
        hard, used = at(obj, "status.hard", {}), at(obj, "status.used", {})
        chosen = [name for name in sorted(hard) if name.startswith("limits.") == (wanted == "Limit")]
        return ", ".join(f"{name}: {used.get(name, '0')}/{hard[name]}" for name in chosen)

    return Column(wanted, cell)


_QUOTAS = (NAME, _quota("Request"), _quota("Limit"), AGE)


def _component(part: str, empty: str) -> Column:
    def cell(obj: Object, now: datetime) -> str:
        healthy: Object = next((found for found in at(obj, "conditions", ()) if found.get("type") == "Healthy"), {})
        if part == "status":
            return "Healthy" if healthy.get("status") == "True" else "Unhealthy"
        return str(healthy.get(part) or empty)

    return Column(part.capitalize(), cell)


_COMPONENTS = (NAME, _component("status", ""), _component("message", ""), _component("error", ""))

_WEBHOOKS = (NAME, Column("Webhooks", count("webhooks"), type="integer"), AGE)
_POLICIES = (
    NAME,
    Column("Validations", count("spec.validations"), type="integer"),
    Column("ParamKind", lambda obj, now: _param_kind(obj)),
    AGE,
)
_POLICY_BINDINGS = (
    NAME,
    Column("PolicyName", field("spec.policyName")),
    Column("ParamRef", lambda obj, now: _param_reference(obj)),
    AGE,
)


def _param_kind(obj: Object) -> str:
    kind = at(obj, "spec.paramKind", {})
    return f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else _UNSET


def _param_reference(obj: Object) -> str:
    reference = at(obj, "spec.paramRef", {})
    name = str(reference.get("name", _UNSET))
    return f"{reference['namespace']}/{name}" if reference.get("namespace") else name


KEPT: Mapping[str, tuple[Column, ...]] = {
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
    "validatingadmissionpolicies.admissionregistration.k8s.io": _POLICIES,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": _POLICY_BINDINGS,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
    "certificatesigningrequests.certificates.k8s.io": _SIGNING_REQUESTS,
    "componentstatuses": _COMPONENTS,
    "csidrivers.storage.k8s.io": _CSI_DRIVERS,
    "csinodes.storage.k8s.io": _CSI_NODES,
    "csistoragecapacities.storage.k8s.io": _CSI_STORAGE_CAPACITIES,
    "flowschemas.flowcontrol.apiserver.k8s.io": _FLOW_SCHEMAS,
    "ipaddresses.networking.k8s.io": _ADDRESSES,
    "limitranges": GENERIC,
    "priorityclasses.scheduling.k8s.io": _PRIORITY_CLASSES,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": _PRIORITY_LEVELS,
    "resourcequotas": _QUOTAS,
    "runtimeclasses.node.k8s.io": _RUNTIME_CLASSES,
    "servicecidrs.networking.k8s.io": _SERVICE_CIDRS,
    "volumeattachments.storage.k8s.io": _ATTACHMENTS,
    "volumeattributesclasses.storage.k8s.io": _ATTRIBUTES_CLASSES,
}
