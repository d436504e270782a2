"""Services of type ExternalName: which name is looked up, and which port (behaviour reference, part A, section 12.4).

Names are resolved outside of translation; their answers stand in the snapshot like objects.
"""

import ipaddress
import re

from remora import model
from remora.annotations.values import shown
from remora.kube.objects import DnsAnswer, Service, ServiceBackendPort
from remora.translate.endpoints import endpoint_key

_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_OWN = re.compile(r"(.*\.)?localhost|localhost\.localdomain|ip6-(localhost|loopback)")
"""Names of the machine that asks (RFC 6761 section 6.3, and what stands in hosts files)."""


def is_external(service: Service) -> bool:
    """Whether the Service stands for a name elsewhere."""
    return service.spec.type == "ExternalName"


def external_name(service: Service) -> str:
    """The name as it is looked up; a dot at its end makes it absolute."""
    return service.spec.external_name.lower()


def find_name_fault(name: str) -> str:
    """Why a name is not looked up; "" if it is."""
    bare = name.removesuffix(".")
    if _is_address(bare):
        return f"{shown(name)} is an IP address; make a Service without selector and an EndpointSlice for it"
    if _OWN.fullmatch(bare):
        return f"{shown(name)} is the controller itself"
    return "" if _NAME.fullmatch(bare) else f"{shown(name)} is no DNS name"


def find_external_port(service: Service, port: ServiceBackendPort) -> int | None:
    """The port at the name: what the Service's port leads to, else the number in the Ingress itself."""
    for candidate in service.spec.ports:
        if (candidate.name == port.name) if port.name else (candidate.port == port.number):
            target = candidate.target_port
            return target if isinstance(target, int) and target else candidate.port
    return port.number if not port.name and 0 < port.number < 65536 else None


def external_endpoints(answer: DnsAnswer | None, port: int, *, session_key: bytes) -> tuple[model.Endpoint, ...]:
    """One endpoint for each address that the name has, ordered by key."""
    if answer is None:
        return ()
    keys = {endpoint_key(session_key, f"{answer.metadata.name}/{one}", port): one for one in answer.addresses}
    return tuple(model.Endpoint(key, keys[key], port) for key in sorted(keys))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
