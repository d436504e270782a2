"""Who shares the tables of sessions: the worker that follows at a reload, and the other replicas.

They stand in a file of their own, because they alone change when a replica comes or goes. The table of request counters has no
peers: what several count is no number any more.
"""

import hashlib

import msgspec

from remora.core.settings import ProxySettings
from remora.haproxy.grammar import address_and_port, directive, render_sections, rule, section
from remora.haproxy.layout import Layout
from remora.model import Peering

SECTION = "cluster"
"""What tables name to be shared."""

VARIABLE = "proc.peers"
"""Has the digest of the file that runs."""


class PeersPart(msgspec.Struct, frozen=True):
    """The file, its digest, and the identity (PEM) that it names; "" and b"" where there is none."""

    text: str = ""
    digest: str = ""
    identity: bytes = b""


def configure_peers(settings: ProxySettings, peering: Peering | None) -> PeersPart:
    """The peers as a file.

    Without other replicas a Unix socket is enough for the next worker. With `--peers-service` the address stays that of the
    network also while there is no other replica, or the next worker would wait at one address and the old one teach another.
    """
    layout = Layout(settings.state_directory)
    if peering is None:
        lines = [directive("peer", settings.peer_name, f"unix@{layout.peers_socket}")]
    else:
        tls = ("ssl", "crt", layout.peers_identity, "ca-file", layout.peers_identity, "verify", "required")
        others = (
            directive("server", peer.name, address_and_port(peer.address, settings.peers_port)) for peer in peering.others
        )
        lines = [
            directive("default-server", *tls),
            directive("bind", address_and_port(settings.peers_address, settings.peers_port), *tls),
            directive("server", settings.peer_name),
            *others,
        ]
    body = section("peers", SECTION, lines=lines)
    digest = hashlib.sha256(render_sections([body]).encode()).hexdigest()[:16]
    name = directive("localpeer", settings.peer_name)
    opening = section("global", lines=[name, rule(f"set-var {VARIABLE}", f"str({digest})")])
    return PeersPart(render_sections([opening, body]), digest, peering.identity if peering else b"")
