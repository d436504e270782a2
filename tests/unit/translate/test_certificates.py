import datetime
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from remora.core.settings import RoutingSettings
from remora.kube.objects import IngressTLS, Secret
from remora.model import Certificate
from remora.translate import Translator
from remora.translate.certificates import KeyPair, parse_key_pair
from remora.watch.store import EventType, Store
from tests.support.kubernetes import ingress, ingress_class, named, rule, secret, service


class Pair(NamedTuple):
    certificate: bytes
    key: bytes
    locked_key: bytes


def made_pair(key: CertificateIssuerPrivateKeyTypes) -> Pair:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example.com")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + datetime.timedelta(days=1))
    return Pair(
        builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
    )


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    """Key pairs of the kinds that are met: elliptic twice, RSA."""
    curve = ec.SECP256R1()
    elliptic = [ec.generate_private_key(curve), ec.generate_private_key(curve)]
    keys: list[CertificateIssuerPrivateKeyTypes] = [*elliptic, rsa.generate_private_key(65537, 2048)]
    return [made_pair(key) for key in keys]


@pytest.mark.parametrize("number", [0, 2])
def test_a_chain_and_its_key_are_written_anew_without_blank_lines(pairs: list[Pair], number: int) -> None:
    pair = pairs[number]
    chain = b"subject=somebody\n\n" + pair.certificate + b"\n\n# next\n" + pairs[1].certificate
    got = parse_key_pair(chain, b"\n\n" + pair.key)
    assert got.refusal == ""
    assert got.pem.startswith(pair.certificate + pairs[1].certificate + b"-----BEGIN PRIVATE KEY-----\n")
    assert b"\n\n" not in got.pem
    assert "PRIVATE" not in repr(got)


def test_what_is_no_key_pair_says_why(pairs: list[Pair]) -> None:
    first, second, _ = pairs
    assert "tls.crt is not" in parse_key_pair(b"rubbish", first.key).refusal
    assert "tls.key is not" in parse_key_pair(first.certificate, b"rubbish").refusal
    assert "tls.key is not" in parse_key_pair(first.certificate, first.locked_key).refusal
    assert "not the key of" in parse_key_pair(first.certificate, second.key).refusal
    assert parse_key_pair(first.certificate, second.key) == KeyPair(
        refusal="tls.key is not the key of the certificate in tls.crt"
    )


def of_pair(name: str, pair: Pair) -> Secret:
    return secret(name, tls_crt=pair.certificate, tls_key=pair.key)


def certificates(store: Store, translator: Translator) -> dict[str, Certificate]:
    model = translator.translate(store.snapshot, store.take_changes()).model
    return {one.name: one for one in model.certificates}


def tls(secret_name: str, *hosts: str) -> tuple[IngressTLS, ...]:
    return (IngressTLS(hosts, secret_name),)


def test_a_renewed_secret_renews_the_certificate_and_nothing_else(pairs: list[Pair]) -> None:
    store, translator = Store(), Translator(RoutingSettings(session_key=b"k"))
    for one in (ingress_class("nginx"), service("shop/web"), of_pair("shop/tls", pairs[0])):
        store.apply(EventType.ADDED, one)
    for host in ("a.example.com", "b.example.com"):
        store.apply(EventType.ADDED, ingress(f"shop/{host[0]}", rule(host, "/"), tls=tls("tls", host)))
    before = translator.translate(store.snapshot, store.take_changes()).model
    store.apply(EventType.MODIFIED, of_pair("shop/tls", pairs[1]))
    after = translator.translate(store.snapshot, store.take_changes()).model
    assert [one.hosts for one in after.certificates] == [("a.example.com", "b.example.com")]
    assert before.certificates[0].pem != after.certificates[0].pem
    assert after.virtual_hosts is before.virtual_hosts
    assert after.backends is before.backends


def test_a_certificate_comes_and_goes_with_its_secret_and_its_hosts(pairs: list[Pair]) -> None:
    store, translator = Store(), Translator(RoutingSettings(session_key=b"k"))
    store.apply(EventType.ADDED, ingress_class("nginx"))
    store.apply(EventType.ADDED, ingress("shop/a", rule("a.example.com", "/"), tls=tls("tls")))
    assert certificates(store, translator) == {}
    store.apply(EventType.ADDED, of_pair("shop/tls", pairs[0]))
    assert certificates(store, translator)["shop/tls"].hosts == ("a.example.com",)
    store.apply(EventType.MODIFIED, ingress("shop/a", rule("b.example.com", "/"), tls=tls("tls")))
    assert certificates(store, translator)["shop/tls"].hosts == ("b.example.com",)
    store.apply(EventType.MODIFIED, ingress("shop/a", rule("b.example.com", "/")))
    assert certificates(store, translator) == {}


def test_the_oldest_ingress_with_a_tls_section_decides_for_the_host(pairs: list[Pair]) -> None:
    store, translator = Store(), Translator(RoutingSettings(session_key=b"k"))
    store.apply(EventType.ADDED, ingress_class("nginx"))
    for number, name in enumerate(("none", "first", "second")):
        section = tls(name, "a.example.com") if number else ()
        created = f"2026-01-01T00:00:0{number}Z"
        store.apply(EventType.ADDED, ingress(f"shop/{name}", rule("a.example.com", f"/{name}"), tls=section, created=created))
        store.apply(EventType.ADDED, of_pair(f"shop/{name}", pairs[number]))
    assert certificates(store, translator).keys() == {"shop/first"}


def test_an_unusable_default_certificate_is_a_problem(pairs: list[Pair]) -> None:
    settings = RoutingSettings(session_key=b"k", default_ssl_certificate=named("shop/tls"))
    store, translator = Store(), Translator(settings)
    assert [one.code for one in translator.translate(store.snapshot, None).problems] == ["CertificateUnusable"]
    store.apply(EventType.ADDED, secret("shop/tls", tls_crt=pairs[0].certificate))
    assert "has no tls.key" in translator.translate(store.snapshot, store.take_changes()).problems[0].message
    store.apply(EventType.MODIFIED, of_pair("shop/tls", pairs[0]))
    assert certificates(store, translator)["default"].hosts == ()
