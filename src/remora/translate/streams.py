"""TCP services and TLS that is passed through (behaviour reference, part B, sections 6 and 10)."""

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec

from remora.annotations.tls import Tls
from remora.annotations.values import shown
from remora.core.names import ANY_HOST, Hostname, NamespacedName, ObjectRef
from remora.core.problem import Problem, Severity
from remora.kube.objects import ConfigMap, ServiceBackendPort
from remora.model import BackendName, TcpService, Upstream
from remora.translate.backends import BackendRef, BackendUnit
from remora.translate.ingress import Prepared
from remora.translate.references import FaultUnit
from remora.translate.view import Unit, View

_VALUE = re.compile(r"(?P<namespace>[a-z0-9.-]+)/(?P<name>[a-z0-9.-]+):(?P<port>[a-z0-9-]+)(?P<marks>(?::[A-Za-z]*){0,2})")


class TcpServices(msgspec.Struct, frozen=True, gc=False):
    """The ports to open, in order, and what is wrong with others."""

    services: tuple[TcpService, ...] = ()
    problems: tuple[Problem, ...] = ()


class TcpServicesUnit(Unit[TcpServices], frozen=True):
    """What the ConfigMaps of `--tcp-services-configmap` and `--udp-services-configmap` ask for."""

    layer: ClassVar[int] = 2

    def run(self, view: View) -> TcpServices:
        problems = list(_udp_problems(view))
        name = view.settings.tcp_services
        config_map = view.find(ConfigMap, name) if name else None
        services: dict[int, TcpService] = {}
        for key, text in sorted((config_map.data or {}).items()) if config_map else ():
            assert config_map
            made = _service(view, config_map.ref, key, text.strip())
            if isinstance(made, TcpService) and made.port not in services:
                services[made.port] = made
            elif isinstance(made, Problem):
                problems.append(made)
        return TcpServices(tuple(services[port] for port in sorted(services)), tuple(problems))


def _udp_problems(view: View) -> Iterator[Problem]:
    name = view.settings.udp_services
    config_map = view.find(ConfigMap, name) if name else None
    if config_map and config_map.data:
        message = "HAProxy does not forward UDP; give the Service an address of its own (type LoadBalancer or NodePort)"
        yield Problem(config_map.ref, "data", "UdpNotForwarded", message, "none of its ports is opened", Severity.ERROR)


def _service(view: View, owner: ObjectRef, key: str, text: str) -> TcpService | Problem:
    """The service that an entry asks for, whose backend the translation then needs; or what is wrong."""
    if not re.fullmatch("[0-9]{1,5}", key) or not 0 < int(key) < 65536:
        return _left_out(owner, key, "the key is not a port")
    if int(key) in view.settings.reserved_ports:
        return _left_out(owner, key, "the port is the controller's own")
    found = _VALUE.fullmatch(text)
    marks = [mark.upper() for mark in found["marks"].split(":")[1:]] if found else []
    if found is None or not set(marks) <= {"", "PROXY"}:
        return _left_out(owner, key, f"{shown(text)} is not namespace/service:port, with :PROXY once or twice behind it")
    port = found["port"]
    wanted = ServiceBackendPort(number=int(port)) if port.isdigit() else ServiceBackendPort(name=port)
    ref = BackendRef(NamespacedName(found["namespace"], found["name"]), wanted)
    fault = view.ask(FaultUnit(ref))
    if fault.code:
        return _left_out(owner, key, fault.message)
    accepts, sends = ((*marks, "", "")[place] == "PROXY" for place in (0, 1))
    backend = BackendUnit(ref, upstream=Upstream(sends_proxy=sends))
    view.need(backend)
    return TcpService(int(key), backend.name, owner.name, accepts)


def _left_out(owner: ObjectRef, key: str, why: str) -> Problem:
    return Problem(owner, f"data[{key}]", "TcpServiceRefused", why, "the port is not opened", Severity.ERROR)


def find_passthrough(view: View, host: Hostname, owners: Sequence[Prepared], problems: list[Problem]) -> BackendName | None:
    """Where TLS connections for the host go as they are, if an Ingress of the host asks for it: to the Service of path `/`,
    whichever Ingress that is of, as in ingress-nginx."""
    asking = [owner for owner in owners if owner.parsed.of(Tls).passthrough and not owner.parsed.is_closed]
    if not asking or not view.settings.ssl_passthrough:
        return None
    rules = (rule for owner in (*asking, *owners) for rule in owner.hosts[host].rules)
    root = next((rule for rule in rules if rule.path == "/"), None)
    if root is None or host == ANY_HOST:
        message = f"ssl-passthrough needs a host with a path /; {host or 'any host'} is none"
        consequence = "TLS ends here for it"
        problems.extend(
            Problem(owner.ref, "metadata.annotations", "PassthroughWithoutRoot", message, consequence) for owner in asking
        )
        return None
    backend = BackendUnit(root.backend)
    view.need(backend)
    return backend.name
