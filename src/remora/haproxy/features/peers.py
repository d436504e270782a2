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

WORKER_SECTION = "worker"
"""What tables name that only the next worker is to have: nobody is in it but this replica."""

OWN_VARIABLE = "proc.replica"
OTHERS_VARIABLES = tuple(f"proc.other_{number}" for number in range(1, 10))
"""Have short names of this replica, and of the others that count together with it."""

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
    next_worker = directive("peer", settings.peer_name, f"unix@{layout.next_worker_socket}")
    worker = section("peers", WORKER_SECTION, lines=[next_worker])
    bodies = [section("peers", SECTION, lines=lines), worker]
    digest = hashlib.sha256(render_sections(bodies).encode()).hexdigest()[:16]
    names = dict(zip(OTHERS_VARIABLES, (peer.name for peer in peering.others), strict=False)) if peering else {}
    variables = {VARIABLE: digest, OWN_VARIABLE: _short(settings.peer_name)}
    variables |= {variable: _short(name) for variable, name in names.items()}
    lines = [rule(f"set-var {variable}", f"str({text})") for variable, text in variables.items()]
    opening = section("global", lines=[directive("localpeer", settings.peer_name), *lines])
    return PeersPart(render_sections([opening, *bodies]), digest, peering.identity if peering else b"")


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]
