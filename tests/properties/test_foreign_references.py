"""What an Ingress of one namespace makes of names of another's Secrets, ConfigMaps and Services."""

import pytest

from remora.core.names import NamespacedName
from remora.core.settings import ProxySettings, RoutingSettings
from remora.haproxy.configuration import Configurator
from remora.haproxy.layout import Layout
from remora.kube.objects import ConfigMap, ObjectMeta
from remora.model import ClientCheck, Model, Unavailable
from remora.plan.decide import started
from remora.plan.files import render_files
from remora.translate import Translator
from remora.watch.snapshot import Snapshot
from tests.support.certificates import Authority
from tests.support.kubernetes import endpoint, endpoint_slice, ingress, ingress_class, rule, secret, service

AUTHORITY = Authority("authority of others")
PEM = AUTHORITY.pem
USER = "somebody-else"
MARKS = (USER.encode().hex().encode(), USER.encode().hex().upper().encode(), b"foreign-value", b"10.9.9.9", PEM.split(b"\n")[3])
"""What stands in the files if the objects of the other namespace are used."""

PROXY = ProxySettings(state_directory="/state")
NAMES = (
    *("other/it", "../other/it", "shop/../other/it", "/other/it", "other//it", "other/it/", "./other/it", "other%2Fit"),
    *("shop/other/it", "OTHER/it", " other/it", "other/it\n", "other\\it", "shop%2F..%2Fother/it"),
)
USES = {
    "auth-secret": {"auth-type": "basic"},
    "auth-tls-secret": {},
    "proxy-ssl-secret": {"proxy-ssl-verify": "on", "proxy-ssl-name": "a.example", "backend-protocol": "HTTPS"},
    "custom-headers": {},
    "auth-proxy-set-headers": {"auth-url": "http://web.shop.svc.cluster.local/"},
    "fastcgi-params-configmap": {"backend-protocol": "FCGI"},
    "default-backend": {"custom-http-errors": "503"},
}
"""By the annotation that names something, what else must be said for it to count."""
GUARDS = ("auth-secret", "auth-tls-secret", "proxy-ssl-secret")


def translated(annotation: str, name: str, *, allowed: bool) -> Model:
    snapshot = Snapshot()
    settings = {"allow-cross-namespace-resources": str(allowed).lower(), "global-allowed-response-headers": "Foreign"}
    words = {"Foreign": "foreign-value"}
    objects = (
        ingress_class("nginx"),
        ConfigMap(ObjectMeta("controller", "system"), data=settings),
        service("shop/web"),
        endpoint_slice("shop/web", "web", endpoint("10.0.0.1", "a")),
        service("other/it"),
        endpoint_slice("other/it", "it", endpoint("10.9.9.9", "b")),
        secret("other/it", auth=f"{USER}:{{PLAIN}}x".encode(), ca_crt=PEM),
        ConfigMap(ObjectMeta("it", "other"), data=words),
        ingress("shop/web", rule("web.example", "/"), annotations={annotation: name, **USES[annotation]}),
    )
    for one in objects:
        snapshot = snapshot.changed(type(one), {one.key: one})
    routing = RoutingSettings(session_key=b"k", configmap=NamespacedName("system", "controller"))
    return Translator(routing).translate(snapshot, None).model


def is_used(model: Model) -> bool:
    configuration = Configurator(PROXY).configure(model)
    files = render_files(configuration, started(configuration), Layout(PROXY.state_directory))
    return any(mark in content for content in files.values() for mark in MARKS)


@pytest.mark.parametrize("annotation", USES)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_another_namespace_is_used_unless_it_is_allowed(annotation: str, name: str) -> None:
    model = translated(annotation, name, allowed=False)
    assert not is_used(model)
    if annotation in GUARDS:
        (route,) = model.virtual_hosts[0].routes
        is_refused = route.client_tls is not None and route.client_tls.check is ClientCheck.REFUSED
        assert is_refused or isinstance(route.action, Unavailable)


@pytest.mark.parametrize("annotation", sorted(set(USES) - {"default-backend"}))
def test_it_would_be_seen_in_the_files(annotation: str) -> None:
    assert is_used(translated(annotation, "other/it", allowed=True))
