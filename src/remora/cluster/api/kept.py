"""Rows of kinds that nothing here acts on: they are defaulted, checked, stored, listed and watched, and that is all."""

from remora.cluster.api.resource import rows

_CLUSTER = {"namespaced": False}
_STATUS = {"namespaced": False, "subresources": ("status",)}
_COUNTED = {**_STATUS, "has_generation": True}

KEPT = (
    rows(
        "certificates.k8s.io",
        "v1",
        (
            "certificatesigningrequests",
            "CertificateSigningRequest",
            {**_CLUSTER, "short_names": ("csr",), "subresources": ("approval", "status")},
        ),
    ),
    rows(
        "flowcontrol.apiserver.k8s.io",
        "v1",
        ("flowschemas", "FlowSchema", {**_COUNTED}),
        ("prioritylevelconfigurations", "PriorityLevelConfiguration", {**_COUNTED}),
    ),
    rows("node.k8s.io", "v1", ("runtimeclasses", "RuntimeClass", {**_CLUSTER})),
    rows(
        "scheduling.k8s.io",
        "v1",
        ("priorityclasses", "PriorityClass", {**_CLUSTER, "short_names": ("pc",), "has_generation": True}),
    ),
    rows(
        "storage.k8s.io",
        "v1",
        ("csidrivers", "CSIDriver", {**_CLUSTER, "returns_deleted": True}),
        ("csinodes", "CSINode", {**_CLUSTER, "returns_deleted": True}),
        ("csistoragecapacities", "CSIStorageCapacity", {"returns_deleted": True}),
        ("volumeattachments", "VolumeAttachment", {**_STATUS, "returns_deleted": True}),
        ("volumeattributesclasses", "VolumeAttributesClass", {**_CLUSTER, "short_names": ("vac",), "returns_deleted": True}),
    ),
    rows(
        "networking.k8s.io",
        "v1",
        ("ipaddresses", "IPAddress", {**_CLUSTER, "short_names": ("ip",)}),
        ("servicecidrs", "ServiceCIDR", {**_STATUS}),
    ),
)
