"""The one node: its object and its heartbeat. `render_` are pure."""

import asyncio
import logging
import os
import platform
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from remora.cluster.addresses import NODE_NAME, Network
from remora.cluster.api.errors import ApiError
from remora.cluster.api.registry import Registry
from remora.cluster.objects import Object, now, render_micro_time, render_time, with_conditions

_log = logging.getLogger(__name__)

VERSION = "v1.36.0+remora"
LEASES = "leases.coordination.k8s.io"
LEASE_NAMESPACE = "kube-node-lease"
_HEARTBEAT = 10.0
_LEASE_SECONDS = 40
_POD_LIMIT = "1000"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


def render_node(network: Network, before: Mapping[str, Any] | None, *, facts: Mapping[str, str], moment: datetime) -> Object:
    """The Node object with its status; what a person added to its metadata and spec stays."""
    metadata = dict((before or {}).get("metadata") or {"name": NODE_NAME})
    arch = facts["architecture"]
    own = {
        "kubernetes.io/hostname": NODE_NAME,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": arch,
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": arch,
        "node-role.kubernetes.io/control-plane": "",
    }
    metadata["labels"] = {**(metadata.get("labels") or {}), **own}
    capacity = allocatable(facts)
    conditions = [
        {
            "type": type_,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": render_time(moment),
            "lastTransitionTime": render_time(moment),
        }
        for type_, status, reason, message in _CONDITIONS
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata,
        "spec": (before or {}).get("spec") or {"podCIDR": str(network.pods), "podCIDRs": [str(network.pods)]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": network.node}, {"type": "Hostname", "address": NODE_NAME}],
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": with_conditions(((before or {}).get("status") or {}).get("conditions") or (), conditions),
            "nodeInfo": {
                "architecture": arch,
                "operatingSystem": "linux",
                "osImage": facts["os"],
                "kernelVersion": facts["kernel"],
                "kubeletVersion": VERSION,
                "kubeProxyVersion": VERSION,
                "containerRuntimeVersion": "remora://processes",
                "machineID": facts["machine"],
                "systemUUID": facts["machine"],
                "bootID": facts["boot"],
            },
        },
    }


def render_lease(before: Mapping[str, Any] | None, moment: datetime) -> Object:
    metadata = dict((before or {}).get("metadata") or {"name": NODE_NAME, "namespace": LEASE_NAMESPACE})
    spec = {"holderIdentity": NODE_NAME, "leaseDurationSeconds": _LEASE_SECONDS, "renewTime": render_micro_time(moment)}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def allocatable(facts: Mapping[str, str]) -> dict[str, str]:
    """What pods may use: all that the machine has."""
    return {"cpu": facts["cpu"], "memory": facts["memory"], "pods": _POD_LIMIT, "ephemeral-storage": facts["storage"]}


def read_facts(directory: Path) -> dict[str, str]:
    """What the Node says of this machine."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    disk = os.statvfs(directory)
    machine = platform.machine()
    return {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "cpu": str(len(os.sched_getaffinity(0))),
        "memory": f"{pages // 1024}Ki",
        "storage": f"{disk.f_blocks * disk.f_frsize // 1024}Ki",
        "os": _os_name(),
        "kernel": platform.release(),
        "machine": _read("/etc/machine-id"),
        "boot": _read("/proc/sys/kernel/random/boot_id"),
    }


async def keep_alive(registry: Registry, network: Network, facts: Mapping[str, str]) -> None:
    """Brings the Node up to date once, then renews its Lease for ever."""
    await write_node(registry, network, facts)
    while True:
        try:
            await _renew(registry)
        except ApiError as error:
            _log.info("the node's lease was not renewed: %s", error)
        await asyncio.sleep(_HEARTBEAT)


async def write_node(registry: Registry, network: Network, facts: Mapping[str, str]) -> None:
    before = registry.find("nodes", "", NODE_NAME)
    node = render_node(network, before, facts=facts, moment=now())
    if before is None:
        await registry.create("nodes", node)
        return
    node["metadata"].pop("resourceVersion", None)
    await registry.update("nodes", node)
    await registry.update("nodes", node, subresource="status")


async def _renew(registry: Registry) -> None:
    before = registry.find(LEASES, LEASE_NAMESPACE, NODE_NAME)
    lease = render_lease(before, now())
    await (registry.create(LEASES, lease) if before is None else registry.update(LEASES, lease))


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
