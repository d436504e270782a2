"""The Service's own address in place of its pods: annotation `service-upstream` (behaviour reference, part A, section 12.4)."""

import ipaddress

from remora import model
from remora.kube.objects import Service, ServiceBackendPort
from remora.translate.endpoints import endpoint_key


def find_service_endpoint(service: Service, port: ServiceBackendPort, *, session_key: bytes) -> model.Endpoint | None:
    """The cluster address at the port: a number as it is written, a name as the Service lists it.

    None for a headless Service and for a name that it does not list, whose pods are used then.
    """
    address = service.spec.cluster_ip
    number = port.number if not port.name else _number_of(service, port.name)
    if not _is_address(address) or not 0 < number < 65536:
        return None
    identity = service.metadata.uid or str(service.key)
    return model.Endpoint(endpoint_key(session_key, f"service/{identity}", number), address, number)


def _number_of(service: Service, name: str) -> int:
    return next((one.port for one in service.spec.ports if one.name == name and one.protocol == "TCP"), 0)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
