"""Checks of configuration, storage, budgets and other kinds of few fields."""

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network

from remora.cluster.api.errors import Cause, duplicate, forbidden_field, invalid_value, required, unsupported
from remora.cluster.api.names import wrong_with_label, wrong_with_subdomain
from remora.cluster.api.validation.fields import Check, CheckUpdate, Object, check_selector, listed

_GREATEST_PRIORITY = 1_000_000_000
_ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_POLICY_TYPES = ("Egress", "Ingress")
_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_BINDING_MODES = ("Immediate", "WaitForFirstConsumer")
_RECLAIM_POLICIES = ("Delete", "Retain")
_PREEMPTIONS = ("Never", "PreemptLowerPriority")


def _check_lease(lease: Object) -> Iterator[Cause]:
    spec = lease.get("spec") or {}
    for name in ("leaseDurationSeconds", "leaseTransitions"):
        value = spec.get(name)
        if isinstance(value, int) and (value < 0 or (value == 0 and name == "leaseDurationSeconds")):
            bound = "greater than 0" if name == "leaseDurationSeconds" else "greater than or equal to 0"
            yield invalid_value(f"spec.{name}", value, f"must be {bound}")


def _check_access_modes(spec: Object) -> Iterator[Cause]:
    modes = spec.get("accessModes") or []
    if not modes:
        yield required("spec.accessModes", "at least 1 access mode is required")
    for mode in modes:
        if mode not in _ACCESS_MODES:
            yield unsupported("spec.accessModes", mode, _ACCESS_MODES)


def _check_claim(claim: Object) -> Iterator[Cause]:
    spec = claim["spec"]
    yield from _check_access_modes(spec)
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        yield required("spec.resources[storage]")


def _check_claim_update(claim: Object, before: Object) -> Iterator[Cause]:
    changeable = ("resources", "volumeName", "volumeAttributesClassName", "storageClassName")
    fixed = [{key: value for key, value in each["spec"].items() if key not in changeable} for each in (claim, before)]
    if fixed[0] != fixed[1]:
        detail = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        yield forbidden_field("spec", detail)


_NO_SOURCES = frozenset(
    {"accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy", "storageClassName",
     "volumeAttributesClassName", "volumeMode"}
)  # fmt: skip


def _check_volume(volume: Object) -> Iterator[Cause]:
    spec = volume["spec"]
    yield from _check_access_modes(spec)
    if not spec.get("capacity"):
        yield required("spec.capacity")
    sources = sorted(set(spec) - _NO_SOURCES)
    if not sources:
        yield required("spec", "must specify a volume type")
    yield from (forbidden_field(f"spec.{name}", "may not specify more than 1 volume type") for name in sources[1:])


def _check_storage_class(storage: Object) -> Iterator[Cause]:
    if not storage.get("provisioner"):
        yield required("provisioner")
    if storage.get("reclaimPolicy") not in _RECLAIM_POLICIES:
        yield unsupported("reclaimPolicy", storage.get("reclaimPolicy"), _RECLAIM_POLICIES)
    if storage.get("volumeBindingMode") not in _BINDING_MODES:
        yield unsupported("volumeBindingMode", storage.get("volumeBindingMode"), _BINDING_MODES)


def _fixed(*names: str, detail: str = "field is immutable") -> CheckUpdate:
    def check(obj: Object, before: Object) -> Iterator[Cause]:
        for name in names:
            if obj.get(name) != before.get(name):
                yield invalid_value(name, obj.get(name), detail)

    return check


def _check_storage_class_update(storage: Object, before: Object) -> Iterator[Cause]:
    if (storage.get("parameters") or {}) != (before.get("parameters") or {}):
        yield forbidden_field("parameters", "updates to parameters are forbidden.")
    for name in ("provisioner", "reclaimPolicy"):
        if storage.get(name) != before.get(name):
            yield forbidden_field(name, f"updates to {name} are forbidden.")
    yield from _fixed("volumeBindingMode")(storage, before)


def _check_priority(priority: Object) -> Iterator[Cause]:
    value, name = priority["value"], str(priority["metadata"].get("name", ""))
    if name.startswith("system-") and name not in ("system-cluster-critical", "system-node-critical"):
        yield forbidden_field("metadata.name", "priority class names with 'system-' prefix are reserved for system use only")
    elif value > _GREATEST_PRIORITY and not name.startswith("system-"):
        yield forbidden_field("value", f"maximum allowed value of a user defined priority is {_GREATEST_PRIORITY}")
    if priority.get("preemptionPolicy") not in _PREEMPTIONS:
        yield unsupported("preemptionPolicy", priority.get("preemptionPolicy"), ("PreemptLowerPriority", "Never"))


def _check_runtime_class(runtime: Object) -> Iterator[Cause]:
    handler = str(runtime.get("handler") or "")
    yield from (invalid_value("handler", handler, wrong) for wrong in wrong_with_label(handler))


def _check_ingress_class(ingress_class: Object) -> Iterator[Cause]:
    spec = ingress_class["spec"]
    if not spec.get("controller"):
        yield required("spec.controller")
    elif "/" not in spec["controller"]:
        yield invalid_value("spec.controller", spec["controller"], 'must be a domain-prefixed path (such as "acme.io/foo")')


def _check_network_policy(policy: Object) -> Iterator[Cause]:
    yield from check_selector(policy["spec"].get("podSelector"), "spec.podSelector")
    for index, name in enumerate(policy["spec"].get("policyTypes") or ()):
        if name not in _POLICY_TYPES:
            yield unsupported(f"spec.policyTypes[{index}]", name, _POLICY_TYPES)


def _check_slice(endpoints: Object) -> Iterator[Cause]:
    kind = endpoints.get("addressType")
    if not kind:
        yield required("addressType", "addressType is a required field")
    elif kind not in _ADDRESS_TYPES:
        yield unsupported("addressType", kind, _ADDRESS_TYPES)
    for index, endpoint in listed(endpoints, "endpoints"):
        if not endpoint.get("addresses"):
            yield required(f"endpoints[{index}].addresses", "must contain at least 1 address")
    names: set[str] = set()
    for index, port in listed(endpoints, "ports"):
        if port.get("name") in names:
            yield duplicate(f"ports[{index}].name", port.get("name"))
        names.add(port.get("name", ""))


def _check_address(address: Object) -> Iterator[Cause]:
    name = str(address["metadata"].get("name", ""))
    if not _is_parsed_by(ip_address, name):
        yield invalid_value("metadata.name", name, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
    parent = (address.get("spec") or {}).get("parentRef")
    if not parent:
        yield required("spec.parentRef")
        return
    yield from (required(f"spec.parentRef.{key}") for key in ("resource", "name") if not parent.get(key))


def _check_service_cidr(cidr: Object) -> Iterator[Cause]:
    given = (cidr.get("spec") or {}).get("cidrs") or []
    if not given:
        yield required("spec.cidrs", "at least one CIDR required")
    for index, text in enumerate(given):
        if not _is_parsed_by(ip_network, text):
            yield invalid_value(f"spec.cidrs[{index}]", text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")


def _is_parsed_by(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _check_signing_request(request: Object) -> Iterator[Cause]:
    spec = request.get("spec") or {}
    if not spec.get("usages"):
        yield required("spec.usages")
    signer = str(spec.get("signerName") or "")
    if not signer:
        yield required("spec.signerName")
    elif not re.fullmatch("[^/]+/[^/]+", signer):
        yield invalid_value(
            "spec.signerName", signer, "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        )
    if not spec.get("request"):
        yield invalid_value("spec.request", "", "PEM block type must be CERTIFICATE REQUEST")


def _check_driver(driver: Object) -> Iterator[Cause]:
    name = str(driver["metadata"].get("name", ""))
    yield from (invalid_value("metadata.name", name, wrong) for wrong in wrong_with_subdomain(name.lower()) if len(name) > 63)


def _check_attachment(attachment: Object) -> Iterator[Cause]:
    spec = attachment.get("spec") or {}
    yield from (required(f"spec.{name}") for name in ("attacher", "nodeName") if not spec.get(name))
    if not any((spec.get("source") or {}).values()):
        yield required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName")


_CLAIM = "persistentvolumeclaims"

KEPT: dict[str, Check] = {
    "certificatesigningrequests.certificates.k8s.io": _check_signing_request,
    "csidrivers.storage.k8s.io": _check_driver,
    "endpointslices.discovery.k8s.io": _check_slice,
    "ingressclasses.networking.k8s.io": _check_ingress_class,
    "ipaddresses.networking.k8s.io": _check_address,
    "leases.coordination.k8s.io": _check_lease,
    "networkpolicies.networking.k8s.io": _check_network_policy,
    _CLAIM: _check_claim,
    "persistentvolumes": _check_volume,
    "priorityclasses.scheduling.k8s.io": _check_priority,
    "runtimeclasses.node.k8s.io": _check_runtime_class,
    "servicecidrs.networking.k8s.io": _check_service_cidr,
    "storageclasses.storage.k8s.io": _check_storage_class,
    "volumeattachments.storage.k8s.io": _check_attachment,
}

KEPT_UPDATES: dict[str, CheckUpdate] = {
    "endpointslices.discovery.k8s.io": _fixed("addressType"),
    _CLAIM: _check_claim_update,
    "priorityclasses.scheduling.k8s.io": _fixed("value", "preemptionPolicy", detail="field is immutable"),
    "runtimeclasses.node.k8s.io": _fixed("handler"),
    "storageclasses.storage.k8s.io": _check_storage_class_update,
    "volumeattributesclasses.storage.k8s.io": _fixed("driverName", "parameters"),
}
