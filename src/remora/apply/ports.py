"""Whether a port is free to listen on."""

import socket
from collections.abc import Iterable


def can_listen(addresses: Iterable[str], port: int) -> bool:
    """Whether nobody else listens on the port at one of the addresses, and we may."""
    return all(_can_bind(address, port) for address in addresses)


def _can_bind(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                tried.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            tried.bind((address, port))
            tried.listen(1)
    except OSError:
        return False
    return True
