"""From the EndpointSlices of the headless Service that `--peers-service` names to the other replicas."""

import datetime
import hmac
import re
from functools import cache
from typing import ClassVar

from remora.kube.objects import EndpointSlice
from remora.model import Peer, Peering
from remora.translate.view import Unit, View

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")


class PeersUnit(Unit[Peering | None], frozen=True):
    """The other replicas; None where no Service is named.

    Ready or not, they count: who is starting wants to be taught, and who is ending has something to teach. A pod with
    addresses of both families is reached by its IPv4 address.
    """

    layer: ClassVar[int] = 1

    def run(self, view: View) -> Peering | None:
        service = view.settings.peers_service
        if service is None:
            return None
        slices = (view.find(EndpointSlice, name) for name in view.slices_of(service))
        found = {peer for one in slices if one is not None for peer in _peers(one) if peer.name != view.settings.instance}
        by_family = sorted(found, key=lambda peer: (peer.name, ":" in peer.address, peer.address))
        others = {peer.name: peer for peer in reversed(by_family)}
        return Peering(tuple(sorted(others.values())), peers_identity(view.settings.session_key))


def _peers(endpoint_slice: EndpointSlice) -> set[Peer]:
    if endpoint_slice.address_type == "FQDN":
        return set()
    return {
        Peer(endpoint.target_ref.name, address)
        for endpoint in endpoint_slice.endpoints or ()
        for address in endpoint.addresses
        if endpoint.target_ref and _NAME.fullmatch(endpoint.target_ref.name) and _ADDRESS.fullmatch(address)
    }


@cache
def peers_identity(session_key: bytes) -> bytes:
    """A private key and its certificate, the same for all who know the session key, and for nobody else.

    Each replica shows it and takes nothing else, so that strangers neither read nor teach sessions. An Ed25519 signature has no
    random part, which is why all make the same certificate.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(hmac.digest(session_key, b"peers", "sha256"))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "remora-peers")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC))
        .sign(key, None)
    )
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM) + secret
