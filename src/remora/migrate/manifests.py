"""Remora's manifests as the old controller's place and settings ask for: to shadow it, and to serve after the switch."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from remora.migrate.old import Old

Object = dict[str, Any]

TCP_SERVICES = "remora-tcp-services"
ELECTION = "remora-leader"
"""The Lease; ingress-nginx's, in the same namespace, may have the name that is usual here."""
_READING = ("get", "list", "watch")
SELECTOR = {"app.kubernetes.io/name": "remora", "app.kubernetes.io/component": "controller"}


class Carried(msgspec.Struct, frozen=True):
    """What is taken over: flags as they stand, and the ConfigMaps' data."""

    flags: Sequence[str] = ()
    settings: Mapping[str, str] = {}
    tcp: Mapping[str, str] = {}


def manifests(base: Iterable[Object], old: Old, carried: Carried, *, is_shadow: bool) -> tuple[Object, ...]:
    """The documents of deploy/remora.yaml, changed. A shadow may only read, and has no class."""
    found = []
    for document in base:
        if _is_left_out(document, is_shadow=is_shadow):
            continue
        placed = _placed(copy.deepcopy(document), old.namespace)
        match placed["kind"]:
            case "ClusterRole" | "Role":
                placed = _role(placed, is_shadow=is_shadow)
            case "ConfigMap":
                placed["data"] = dict(carried.settings)
            case "Deployment":
                _change_deployment(placed, old, carried, is_shadow=is_shadow)
            case "Service" if placed["metadata"]["name"] == "remora-controller":
                _change_service(placed, old, carried, is_shadow=is_shadow)
        found.append(placed)
        if placed["kind"] == "ConfigMap" and carried.tcp:
            found.append(copy.deepcopy(placed) | {"data": dict(carried.tcp)})
            found[-1]["metadata"]["name"] = TCP_SERVICES
    return tuple(found)


def _is_left_out(document: Object, *, is_shadow: bool) -> bool:
    """The namespace is there, and so is the old class; a shadow claims none."""
    kind = document["kind"]
    return kind == "Namespace" or (kind == "IngressClass" and (is_shadow or document["metadata"]["name"] == "nginx"))


def _placed(document: Object, namespace: str) -> Object:
    if "namespace" in document["metadata"]:
        document["metadata"]["namespace"] = namespace
    for subject in document.get("subjects") or ():
        subject["namespace"] = namespace
    return document


def _role(document: Object, *, is_shadow: bool) -> Object:
    rules = document["rules"]
    for rule in rules:
        if rule.get("resources") == ["leases"] and "resourceNames" in rule:
            rule["resourceNames"] = [ELECTION]
    if is_shadow:
        rules = [{**rule, "verbs": [verb for verb in rule["verbs"] if verb in _READING]} for rule in rules]
        rules = [rule for rule in rules if rule["verbs"] and rule["resources"] != ["leases"]]
    return {**document, "rules": rules}


def _change_deployment(document: Object, old: Old, carried: Carried, *, is_shadow: bool) -> None:
    spec = document["spec"]
    pod = spec["template"]["spec"]
    (container, *_) = pod["containers"]
    if old.replicas is not None:
        spec["replicas"] = old.replicas
    pod |= copy.deepcopy(dict(old.pod))
    container["args"] = list(arguments(container["args"], old, carried, is_shadow=is_shadow))
    if old.resources:
        container["resources"] = copy.deepcopy(dict(old.resources))
    container["ports"] += [
        {"name": f"{port}-tcp", "containerPort": int(port), "protocol": "TCP"} for port in sorted(carried.tcp) if port.isdigit()
    ]


def arguments(usual: Iterable[str], old: Old, carried: Carried, *, is_shadow: bool) -> Iterator[str]:
    """The command line: what was carried over goes before what is usual."""
    ours = [f"--election-id={ELECTION}"]
    if old.service:
        ours.append(f"--publish-service={old.service}")
    if carried.tcp:
        ours.append(f"--tcp-services-configmap=$(POD_NAMESPACE)/{TCP_SERVICES}")
    if is_shadow:
        ours = [one for one in ours if not one.startswith("--election-id=")] + ["--shadow"]
    elif not any(one.startswith("--session-cookie-format=") for one in carried.flags):
        ours.append("--session-cookie-format=ingress-nginx")
    chosen = {_flag(one): one for one in (*usual, *carried.flags, *ours)}
    yield from chosen.values()


def _flag(argument: str) -> str:
    return argument.partition("=")[0]


def _change_service(document: Object, old: Old, carried: Carried, *, is_shadow: bool) -> None:
    """Of its own for trying; clients come through the old one, before and after the switch."""
    spec = document["spec"]
    if is_shadow or old.service:
        spec["type"] = "ClusterIP"
    spec["ports"] += [
        {"name": f"{port}-tcp", "port": int(port), "protocol": "TCP", "targetPort": f"{port}-tcp"}
        for port in sorted(carried.tcp)
        if port.isdigit()
    ]
