"""Which loopback addresses a cluster uses. Pure.

Linux answers on all of 127.0.0.0/8 without configuration (RFC 1122 section 3.2.1.3 keeps the block on the host), so every pod
and every Service can have an address of its own. A profile's number gives it one /16.
"""

from collections.abc import Container
from ipaddress import IPv4Address, IPv4Network, ip_address

import msgspec

HIGHEST_INDEX = 150
NODE_NAME = "remora"
_FIRST_OCTET = 64


class Network(msgspec.Struct, frozen=True):
    """The addresses of the profile with number `index` (0 to 150)."""

    index: int

    def __post_init__(self) -> None:
        if not 0 <= self.index <= HIGHEST_INDEX:
            raise ValueError(f"a profile's number is between 0 and {HIGHEST_INDEX}, not {self.index}")

    @property
    def pods(self) -> IPv4Network:
        return self._part("0", 17)

    @property
    def services(self) -> IPv4Network:
        """Where ClusterIPs come from."""
        return self._part("128", 18)

    @property
    def load_balancers(self) -> IPv4Network:
        return self._part("192", 18)

    @property
    def node(self) -> str:
        """The node's own address, which is also that of pods with `hostNetwork`."""
        return f"127.{_FIRST_OCTET + self.index}.255.254"

    @property
    def kubernetes_service(self) -> str:
        """The ClusterIP of the Service `kubernetes` in `default`, by custom the first of the range."""
        return str(self.services[1])

    @property
    def dns_service(self) -> str:
        """The ClusterIP of the Service `kube-dns` in `kube-system`, by custom the tenth."""
        return str(self.services[10])

    def _part(self, third: str, prefix: int) -> IPv4Network:
        return IPv4Network(f"127.{_FIRST_OCTET + self.index}.{third}.0/{prefix}")


def is_of_a_cluster(address: str) -> bool:
    """Whether some profile may have the address."""
    found = ip_address(address)
    return found.version == 4 and found.is_loopback and _FIRST_OCTET <= found.packed[1] <= _FIRST_OCTET + HIGHEST_INDEX


def is_assignable(network: IPv4Network, address: str) -> bool:
    """Whether something may have the address: it lies in the network and does not end in 0, 254 or 255.

    The last two are left out because programs take them for a broadcast address or for the node.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return isinstance(parsed, IPv4Address) and parsed in network and _is_for_use(int(parsed))


def next_address(network: IPv4Network, *, after: str, taken: Container[str]) -> str | None:
    """The first free address behind `after` (any text that is no address of the network means its start), going round once.

    Going on behind the last one instead of filling gaps means that an address rests long before it is used again.
    """
    start = int(network.network_address)
    offset = int(IPv4Address(after)) - start if is_assignable(network, after) else 0
    for step in range(1, network.num_addresses + 1):
        number = start + (offset + step) % network.num_addresses
        if _is_for_use(number) and (address := str(IPv4Address(number))) not in taken:
            return address
    return None


def _is_for_use(number: int) -> bool:
    return number & 0xFF not in (0, 254, 255)
