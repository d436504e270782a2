"""What clients must show, from Ingresses and Secrets that come and go."""

import pytest

from remora.core.names import NamespacedName
from remora.core.settings import RoutingSettings
from remora.kube.objects import ConfigMap, KubernetesObject, ObjectMeta
from remora.kube.objects.ingress import IngressTLS
from remora.model import ClientCheck, ClientTls, FileKind, HostTls, Model
from remora.translate import Translation, Translator
from remora.translate.client_tls import parse_client_trust
from remora.watch.snapshot import Change
from tests.support.certificates import Authority, self_signed
from tests.support.kubernetes import ingress, ingress_class, rule, secret
from tests.support.translations import snapshot_of

OLD, NEW = Authority("old"), Authority("new")
CONTROLLER = NamespacedName("shop", "controller")
SETTINGS = RoutingSettings(session_key=b"k", configmap=CONTROLLER)
PAIR = self_signed("web.example")
KEY = PAIR.index(b"-----BEGIN PRIVATE")
SERVED = secret("shop/served", tls_crt=PAIR[:KEY], tls_key=PAIR[KEY:])
ON = {"auth-tls-secret": "shop/clients"}


def objects(*more: KubernetesObject, data: dict[str, str] | None = None, **annotations: str) -> list[KubernetesObject]:
    said = {name.replace("_", "-"): text for name, text in annotations.items()} or ON
    tls = (IngressTLS(hosts=("web.example",), secret_name="served"),)
    config_map = ConfigMap(metadata=ObjectMeta(name=CONTROLLER.name, namespace=CONTROLLER.namespace), data=data or {})
    web = ingress("shop/web", rule("web.example", "/"), annotations=said, tls=tls)
    return [ingress_class("nginx"), web, config_map, SERVED, *more]


def translated(*more: KubernetesObject, data: dict[str, str] | None = None, **annotations: str) -> Translation:
    return Translator(SETTINGS).translate(snapshot_of(objects(*more, data=data, **annotations)), None)


def clients_of(made: Model) -> ClientTls:
    found = {route.client_tls for host in made.virtual_hosts for route in host.routes}
    (clients,) = found
    assert clients
    return clients


def test_another_authority_is_another_entry_of_the_same_certificate() -> None:
    translator = Translator(SETTINGS)
    before = translator.translate(snapshot_of(objects(secret("shop/clients", ca_crt=OLD.pem))), None).model
    newer = secret("shop/clients", ca_crt=NEW.pem)
    after = translator.translate(snapshot_of(objects(newer)), [Change(type(newer), newer.key)]).model
    assert after == translated(newer).model
    names = []
    for made in (before, after):
        (certificate,) = made.certificates
        (file,) = made.upstream_files
        assert certificate.tls == HostTls(file.name)
        assert clients_of(made) == ClientTls(ClientCheck.DEMANDED, file.name)
        names.append((certificate.name, clients_of(made).trust))
    assert len({name for name, _ in names}) == len({trust for _, trust in names}) == 2


def test_a_secret_that_goes_closes_the_host_and_opens_nothing() -> None:
    translator = Translator(SETTINGS)
    gone = secret("shop/clients", ca_crt=OLD.pem)
    translator.translate(snapshot_of(objects(gone)), None)
    made = translator.translate(snapshot_of(objects()), [Change(type(gone), gone.key)])
    assert clients_of(made.model).check is ClientCheck.REFUSED
    assert made.model.upstream_files == ()
    assert [one.tls for one in made.model.certificates] == [HostTls()]
    assert [one.code for one in made.problems if one.code == "ClientTlsUnusable"]


def test_secrets_of_other_namespaces_are_taken_where_the_configmap_says_so() -> None:
    foreign = secret("other/clients", ca_crt=OLD.pem)
    name = "other/clients"
    assert clients_of(translated(foreign, auth_tls_secret=name).model).check is ClientCheck.REFUSED
    allowed = translated(foreign, data={"allow-cross-namespace-resources": "true"}, auth_tls_secret=name)
    assert clients_of(allowed.model).check is ClientCheck.DEMANDED


def test_an_annotation_above_the_risk_level_closes_strangers_paths_of_the_host_too() -> None:
    stranger = ingress("other/web", rule("web.example", "/later"), created="2026-02-01T00:00:00Z")
    made = translated(secret("shop/clients", ca_crt=OLD.pem), stranger, data={"annotations-risk-level": "Low"})
    assert clients_of(made.model).check is ClientCheck.REFUSED


@pytest.mark.parametrize("pattern", ["CN=(", "cn=a", "CN=é", "CN=a\nb", "CN=(*FAIL)", "x|CN=a", "CN=" + "a" * 3000])
def test_a_subject_that_is_no_pattern_lets_nobody_in(pattern: str) -> None:
    clients = secret("shop/clients", ca_crt=OLD.pem)
    made = translated(clients, auth_tls_secret="shop/clients", auth_tls_match_cn=pattern)
    assert clients_of(made.model).check is ClientCheck.REFUSED


def test_what_is_written_around_certificates_is_left_out() -> None:
    trust = parse_client_trust({"ca.crt": b"hello\n\n" + OLD.pem + b"\n\nshow info\n" + NEW.pem + OLD.pem})
    assert trust.authority
    assert trust.authority.kind is FileKind.AUTHORITY
    assert trust.authority.pem == OLD.pem + NEW.pem


@pytest.mark.parametrize("data", [{}, {"ca.crt": b""}, {"ca.crt": b"x"}, {"ca.crt": OLD.pem, "ca.crl": b"x"}])
def test_what_cannot_be_read_is_refused(data: dict[str, bytes]) -> None:
    assert parse_client_trust(data).refusal
