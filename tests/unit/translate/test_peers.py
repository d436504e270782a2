"""Which replicas share what they learn."""

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from remora.core.settings import RoutingSettings
from remora.kube.objects import EndpointSlice
from remora.model import Peer, Peering
from remora.translate import Translator
from remora.translate.peers import peers_identity
from remora.watch.snapshot import Change
from tests.support.kubernetes import endpoint, endpoint_slice, named
from tests.support.translations import snapshot_of

SETTINGS = RoutingSettings(session_key=b"key", peers_service=named("remora/peers"), instance="one")


def peering_of(*slices: EndpointSlice, settings: RoutingSettings = SETTINGS) -> Peering | None:
    return Translator(settings).translate(snapshot_of(slices), None).model.peering


def test_the_other_pods_of_the_service_are_the_peers_ready_or_not() -> None:
    slices = (
        endpoint_slice("remora/peers-1", "peers", endpoint("10.0.0.1", "one"), endpoint("10.0.0.3", "three", ready=False)),
        endpoint_slice("remora/peers-2", "peers", endpoint("fd00::2", "two"), endpoint("10.0.0.9")),
        endpoint_slice("remora/peers-3", "peers", endpoint("fd00::3", "three"), endpoint("10.0.0.4", "no name")),
        endpoint_slice("remora/web-1", "web", endpoint("10.0.0.5", "web")),
    )
    others = (Peer("three", "10.0.0.3"), Peer("two", "fd00::2"))
    assert peering_of(*slices) == Peering(others, peers_identity(b"key"))
    assert peering_of(*reversed(slices)) == Peering(others, peers_identity(b"key"))


def test_a_replica_without_others_waits_for_them_and_one_without_service_does_not() -> None:
    assert peering_of() == Peering((), peers_identity(b"key"))
    assert peering_of(settings=msgspec.structs.replace(SETTINGS, peers_service=None)) is None


def test_a_peer_that_comes_changes_the_model_and_nothing_else_does() -> None:
    before = endpoint_slice("remora/peers-1", "peers", endpoint("10.0.0.1", "one"))
    after = endpoint_slice("remora/peers-1", "peers", endpoint("10.0.0.1", "one"), endpoint("10.0.0.2", "two"))
    other = endpoint_slice("shop/web-1", "web", endpoint("10.0.0.5", "web"))
    translator = Translator(SETTINGS)
    model = translator.translate(snapshot_of([before]), None).model
    unchanged = translator.translate(snapshot_of([before, other]), (Change(EndpointSlice, other.key),)).model
    assert unchanged is model
    changed = translator.translate(snapshot_of([after, other]), (Change(EndpointSlice, after.key),)).model
    assert changed.peering is not None
    assert changed.peering.others == (Peer("two", "10.0.0.2"),)


def test_the_identity_is_that_of_the_session_key() -> None:
    pem = peers_identity(b"key")
    assert peers_identity.__wrapped__(b"key") == pem
    assert peers_identity(b"other") != pem
    certificate = x509.load_pem_x509_certificate(pem)
    assert certificate.public_key() == load_pem_private_key(pem, None).public_key()
    certificate.verify_directly_issued_by(certificate)
