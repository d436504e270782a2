"""Rows of nodes, namespaces, Events, configuration, leases, rights and storage. Pure."""

from datetime import datetime

from remora.cluster.api.table.columns import (
    AGE,
    NAME,
    NONE,
    UNKNOWN,
    Column,
    MakeCell,
    Object,
    at,
    count,
    created_at,
    field,
    joined,
    name,
    since,
    wide,
)

_ROLE = "node-role.kubernetes.io/"


def _node_status(obj: Object, now: datetime) -> str:
    ready = [c["status"] for c in at(obj, "status.conditions", ()) if c["type"] == "Ready"]
    word = ("Ready" if ready[0] == "True" else "NotReady") if ready else "Unknown"
    return f"{word},SchedulingDisabled" if at(obj, "spec.unschedulable") else word


def _roles(obj: Object, now: datetime) -> str:
    labels = obj["metadata"].get("labels") or {}
    roles = {key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE)} | {labels.get("kubernetes.io/role", "")}
    return joined(sorted(roles - {""})) or NONE


def _node_address(type_: str) -> MakeCell:
    def cell(obj: Object, now: datetime) -> str:
        return next((a["address"] for a in at(obj, "status.addresses", ()) if a["type"] == type_), NONE)

    return cell


NODES = (
    NAME,
    Column("Status", _node_status),
    Column("Roles", _roles),
    AGE,
    Column("Version", field("status.nodeInfo.kubeletVersion")),
    wide("Internal-IP", _node_address("InternalIP")),
    wide("External-IP", _node_address("ExternalIP")),
    wide("OS-Image", field("status.nodeInfo.osImage", UNKNOWN)),
    wide("Kernel-Version", field("status.nodeInfo.kernelVersion", UNKNOWN)),
    wide("Container-Runtime", field("status.nodeInfo.containerRuntimeVersion", UNKNOWN)),
)
NAMESPACES = (NAME, Column("Status", field("status.phase")), AGE)


def _last_seen(obj: Object, now: datetime) -> str:
    return since(at(obj, "series.lastObservedTime") or at(obj, "lastTimestamp") or at(obj, "eventTime"), now)


def _first_seen(obj: Object, now: datetime) -> str:
    return since(at(obj, "firstTimestamp") or at(obj, "eventTime"), now)


def _involved(obj: Object, now: datetime) -> str:
    involved = at(obj, "involvedObject", {})
    return (
        f"{involved.get('kind', '').lower()}/{involved['name']}" if involved.get("name") else involved.get("kind", "").lower()
    )


def _source(obj: Object, now: datetime) -> str:
    component = at(obj, "source.component") or at(obj, "reportingComponent", "")
    instance = at(obj, "source.host") or at(obj, "reportingInstance", "")
    return ", ".join(part for part in (component, instance) if part)


EVENTS = (
    Column("Last Seen", _last_seen),
    Column("Type", field("type")),
    Column("Reason", field("reason")),
    Column("Object", _involved),
    wide("Subobject", field("involvedObject.fieldPath")),
    wide("Source", _source),
    Column("Message", lambda obj, now: at(obj, "message", "").strip()),
    wide("First Seen", _first_seen),
    wide("Count", lambda obj, now: at(obj, "series.count") or at(obj, "count") or 1),
    Column("Name", name, priority=1, format="name"),
)


def _config_map_data(obj: Object, now: datetime) -> int:
    return len(at(obj, "data", ())) + len(at(obj, "binaryData", ()))


CONFIG_MAPS = (NAME, Column("Data", _config_map_data), AGE)
SECRETS = (NAME, Column("Type", field("type")), Column("Data", count("data")), AGE)
SERVICE_ACCOUNTS = (NAME, Column("Secrets", count("secrets")), AGE)
LEASES = (NAME, Column("Holder", field("spec.holderIdentity")), AGE)


def _role(obj: Object, now: datetime) -> str:
    return f"{at(obj, 'roleRef.kind', '')}/{at(obj, 'roleRef.name', '')}"


def _subjects(kind: str) -> MakeCell:
    def cell(obj: Object, now: datetime) -> str:
        chosen = [subject for subject in at(obj, "subjects", ()) if subject["kind"] == kind]
        return ", ".join(
            f"{subject['namespace']}/{subject['name']}" if kind == "ServiceAccount" else subject["name"] for subject in chosen
        )

    return cell


ROLES = (NAME, Column("Created At", created_at, type="date"))
ROLE_BINDINGS = (
    NAME,
    Column("Role", _role),
    AGE,
    wide("Users", _subjects("User")),
    wide("Groups", _subjects("Group")),
    wide("ServiceAccounts", _subjects("ServiceAccount")),
)


def _storage_class_name(obj: Object, now: datetime) -> str:
    annotations = obj["metadata"].get("annotations") or {}
    is_default = annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
    return f"{obj['metadata']['name']} (default)" if is_default else str(obj["metadata"]["name"])


STORAGE_CLASSES = (
    Column("Name", _storage_class_name, format="name"),
    Column("Provisioner", field("provisioner")),
    Column("ReclaimPolicy", field("reclaimPolicy", "Delete")),
    Column("VolumeBindingMode", field("volumeBindingMode", "Immediate")),
    Column("AllowVolumeExpansion", lambda obj, now: bool(at(obj, "allowVolumeExpansion", False))),
    AGE,
)
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _access_modes(path: str) -> MakeCell:
    return lambda obj, now: joined(_MODES.get(mode, mode) for mode in at(obj, path, ()))


CLAIMS = (
    NAME,
    Column("Status", field("status.phase")),
    Column("Volume", field("spec.volumeName")),
    Column("Capacity", field("status.capacity.storage")),
    Column("Access Modes", _access_modes("status.accessModes")),
    Column("StorageClass", field("spec.storageClassName")),
    Column("VolumeAttributesClass", field("spec.volumeAttributesClassName", "<unset>")),
    AGE,
    wide("VolumeMode", field("spec.volumeMode", "<unset>")),
)


def _claim(obj: Object, now: datetime) -> str:
    found = at(obj, "spec.claimRef")
    return f"{found['namespace']}/{found['name']}" if found else ""


VOLUMES = (
    NAME,
    Column("Capacity", field("spec.capacity.storage")),
    Column("Access Modes", _access_modes("spec.accessModes")),
    Column("Reclaim Policy", field("spec.persistentVolumeReclaimPolicy")),
    Column("Status", field("status.phase")),
    Column("Claim", _claim),
    Column("StorageClass", field("spec.storageClassName")),
    Column("VolumeAttributesClass", field("spec.volumeAttributesClassName", "<unset>")),
    Column("Reason", field("status.reason")),
    AGE,
    wide("VolumeMode", field("spec.volumeMode", "<unset>")),
)
