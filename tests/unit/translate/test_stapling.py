"""Which certificates are stapled: HAProxy must not be asked for one that it cannot staple, or it does not load at all."""

import pytest

from remora.core.names import NamespacedName
from remora.core.settings import RoutingSettings
from remora.haproxy.certificates import crt_list_line
from remora.haproxy.layout import Layout
from remora.kube.objects import ConfigMap, IngressTLS, ObjectMeta, Secret
from remora.model import Certificate, HostTls
from remora.translate import Translator
from remora.translate.stapling import can_staple
from remora.watch.store import EventType, Store
from tests.support.certificates import self_signed
from tests.support.kubernetes import PREFIX, ingress, ingress_class, named, rule, secret, service
from tests.support.ocsp import Responder, chains

CHAINS = chains()


@pytest.mark.parametrize("what", CHAINS)
def test_a_chain_is_stapled_if_haproxy_can(what: str) -> None:
    is_stapled, pem = CHAINS[what]
    assert can_staple(pem) is is_stapled


def test_what_is_no_chain_is_not_stapled() -> None:
    assert not can_staple(b"")
    assert not can_staple(self_signed("a.example"))


def test_the_option_stands_with_the_certificate() -> None:
    one = Certificate("shop/a+x", (), b"", HostTls(ciphers="HIGH", stapled=True))
    assert crt_list_line(one, Layout("/state")) == "/state/certificates/shop_a+x.pem [ciphers HIGH ocsp-update on]"


def of_chain(pem: bytes) -> Secret:
    chain, mark, key = pem.partition(b"-----BEGIN PRIVATE KEY-----")
    return secret("shop/tls", tls_crt=chain, tls_key=mark + key)


def configmap(text: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name="controller", namespace="remora"), data={"enable-ocsp": text})


def served(store: Store, translator: Translator) -> list[tuple[tuple[str, ...], HostTls, bool]]:
    """Hosts, how they are served, and whether what they are served with could be stapled."""
    made = translator.translate(store.snapshot, store.take_changes()).model
    return [(one.hosts, one.tls, can_staple(one.pem)) for one in made.certificates if one.hosts]


@pytest.mark.parametrize("is_default", [False, True])
def test_a_certificate_is_stapled_for_as_long_as_it_is_wanted_and_can_be(is_default: bool) -> None:
    settings = RoutingSettings(
        session_key=b"k",
        configmap=NamespacedName("remora", "controller"),
        default_ssl_certificate=named("shop/tls") if is_default else None,
    )
    store, translator = Store(), Translator(settings)
    responder, host = Responder(), "a.example"
    sections = (IngressTLS(hosts=(host,), secret_name="" if is_default else "tls"),)
    web = ingress("shop/a", rule(host, "/"), tls=sections, annotations={f"{PREFIX}from-to-www-redirect": "true"})
    for one in (ingress_class("nginx"), service("shop/web"), of_chain(responder.issue(host)[1]), configmap("false"), web):
        store.apply(EventType.ADDED, one)
    plain = [] if is_default else [((host,), HostTls(), True)]
    assert served(store, translator) == plain
    store.apply(EventType.MODIFIED, configmap("true"))
    (found,) = served(store, translator)
    assert (found[0][0], *found[1:]) == (host, HostTls(stapled=True), True)
    store.apply(EventType.MODIFIED, of_chain(responder.issue(host, with_issuer=False)[1]))
    assert served(store, translator) == [(*one[:2], False) for one in plain]
    store.apply(EventType.MODIFIED, of_chain(responder.issue(host)[1]))
    assert served(store, translator)[0][1].stapled
    store.apply(EventType.MODIFIED, configmap("false"))
    assert served(store, translator) == plain
