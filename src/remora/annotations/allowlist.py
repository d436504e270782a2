"""Lists of client addresses (behaviour reference, part B, section 2)."""

import ipaddress
import re
from dataclasses import dataclass

from remora.annotations.declare import OnInvalid, Risk, annotation
from remora.annotations.values import ValueRefused, shown

MOST_NETWORKS = 5000
"""Of one list. A network takes up to eight entries of a map."""

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
"""IPv4 addresses as IPv6 ones (RFC 4291 section 2.5.5.2)."""


def networks(text: str) -> tuple[str, ...]:
    """Addresses and networks between commas or line ends; bits below the mask are cleared."""
    items = [item for item in map(str.strip, re.split(r"[,\n]", text)) if item]
    if not items:
        raise ValueRefused("it is empty")
    if len(items) > MOST_NETWORKS:
        raise ValueRefused(f"there are more than {MOST_NETWORKS} networks")
    return tuple(dict.fromkeys(map(_network, items)))


def _network(item: str) -> str:
    try:
        network = ipaddress.ip_network(item, strict=False)
    except ValueError:
        raise ValueRefused(f"{shown(item)} is neither an address nor a network") from None
    if "%" in item or not re.fullmatch(r"[^/]+(/\d{1,3})?", item):
        raise ValueRefused(f"{shown(item)} is neither an address nor a network such as 10.0.0.0/8")
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        # Clients' addresses are compared in that form too.
        network = ipaddress.ip_network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - _MAPPED.prefixlen))
    return str(network)


@dataclass(frozen=True, slots=True)
class AddressLists:
    """From which addresses clients may come."""

    allow: tuple[str, ...] = annotation(
        "allowlist-source-range",
        networks,
        default=(),
        aliases=("whitelist-source-range",),
        guards=True,
        risk=Risk.MEDIUM,
        on_invalid=OnInvalid.DENY,
        global_key="whitelist-source-range",
        doc="The addresses and networks from which clients may come, between commas; all others get 403.",
        accepts=("10.0.0.0/8", "10.0.0.0/8, 192.168.1.7,2001:db8::/32", "10.1.2.3/8"),
        refuses=("", "10.0.0.0/33", "example.com", "10.0.0.0/255.0.0.0", "fe80::1%eth0", "10.0.0.1 10.0.0.2", "10.0.0.1;}"),
        haproxy=("http-request deny",),
    )
    deny: tuple[str, ...] = annotation(
        "denylist-source-range",
        networks,
        default=(),
        guards=True,
        risk=Risk.MEDIUM,
        on_invalid=OnInvalid.DENY,
        global_key="denylist-source-range",
        doc="The addresses and networks from which clients may not come; it goes before the list of those that may.",
        accepts=("203.0.113.0/24,2001:db8::/32", "192.0.2.1"),
        refuses=("", "192.0.2.0/24, x", "192.0.2.1\x00"),
        haproxy=("http-request deny",),
    )
