"""The lines of a hosts file (hosts(5)). Pure."""

import ipaddress


def parse_hosts(text: str) -> dict[str, tuple[str, ...]]:
    """Names in lower case to their addresses, in the order of the file; lines that are none are passed over."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        try:
            known = str(ipaddress.ip_address(address))
        except ValueError:
            continue
        for name in names:
            found[name.lower()] = tuple(dict.fromkeys((*found.get(name.lower(), ()), known)))
    return found


def preferred(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """The IPv4 addresses, or without one the others."""
    return tuple(one for one in addresses if ":" not in one) or addresses
