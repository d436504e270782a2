"""Whatever stands in an object, translation answers with a model and Problems, never with an exception."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from remora.annotations.registry import rows
from remora.core.names import NamespacedName
from remora.core.settings import RoutingSettings
from remora.kube.objects import ConfigMap, IngressTLS, KubernetesObject, ObjectMeta
from remora.model import ForwardTo, Route
from remora.translate import Translation, Translator
from remora.watch.snapshot import Snapshot
from tests.support.kubernetes import PREFIX, endpoint, endpoint_slice, ingress, ingress_class, rule, secret, service

SETTINGS = RoutingSettings(session_key=b"k", configmap=NamespacedName("shop", "controller"))

nasty = st.text(st.sampled_from("a/$1(.*)|[]{}\\^?+=;%#'\" \n\r\t\x00é-_:,09"), max_size=25) | st.text(max_size=15)
names = st.sampled_from([row.key(PREFIX.rstrip("/")) for row in rows()])
keys = st.sampled_from([row.global_key for row in rows() if row.global_key])


def translated(*objects: KubernetesObject) -> Translation:
    snapshot = Snapshot()
    base = (ingress_class("nginx"), service("shop/web"), endpoint_slice("shop/web", "web", endpoint("10.0.0.1", "a")))
    for one in (*base, *objects):
        snapshot = snapshot.changed(type(one), {one.key: one})
    return Translator(SETTINGS).translate(snapshot, None)


def texts_of(route: Route) -> Iterator[str]:
    """What a route takes from annotations and puts in front of the proxy."""
    if isinstance(route.action, ForwardTo) and route.action.affinity:
        attributes = route.action.affinity.attributes
        yield from (route.action.affinity.cookie_name, attributes.path, attributes.domain)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(names | nasty, nasty, max_size=6), st.booleans())
def test_any_annotation_text_is_survived(annotations: dict[str, str], with_affinity: bool) -> None:
    written = {name if "/" in name else PREFIX + name: text for name, text in annotations.items()}
    if with_affinity:
        written.setdefault(PREFIX + "affinity", "cookie")
    result = translated(ingress("shop/a", rule("a.example.com", "/", "/x(/|$)(.*)"), annotations=written))
    for host in result.model.virtual_hosts:
        for route in host.routes:
            assert not any(ord(character) < 32 or character in ";|" for text in texts_of(route) for character in text)


@settings(max_examples=200, deadline=None)
@given(nasty, nasty, st.sampled_from(["Prefix", "Exact", "ImplementationSpecific", "Strange"]), st.booleans(), nasty)
def test_any_host_and_path_is_survived(host: str, path: str, path_type: str, use_regex: bool, target: str) -> None:
    annotations = {"use-regex": str(use_regex).lower(), "rewrite-target": target, "affinity": "cookie"}
    result = translated(ingress("shop/a", rule(host, path, f"/{path}", path_type=path_type), annotations=annotations))
    for one in result.model.virtual_hosts:
        assert set(one.host) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.*")


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(keys | nasty, nasty, max_size=5))
def test_any_configmap_is_survived(data: dict[str, str]) -> None:
    translated(ConfigMap(ObjectMeta("controller", "shop"), data=data), ingress("shop/a", rule("a.example.com", "/")))


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_secret_is_survived(certificate: bytes, key: bytes) -> None:
    tls = (IngressTLS(("a.example.com",), "tls"),)
    result = translated(
        secret("shop/tls", tls_crt=certificate, tls_key=key), ingress("shop/a", rule("a.example.com", "/"), tls=tls)
    )
    assert result.problems
    assert result.model.certificates == ()
