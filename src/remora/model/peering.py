"""The replicas that share what they learn of sessions."""

import msgspec


class Peer(msgspec.Struct, frozen=True, order=True, gc=False):
    """Another replica: its name, and its IP address without brackets."""

    name: str
    address: str


class Peering(msgspec.Struct, frozen=True, gc=False):
    """The other replicas, ordered by name, and the key with its certificate (PEM) by which all know one another."""

    others: tuple[Peer, ...] = ()
    identity: bytes = b""
