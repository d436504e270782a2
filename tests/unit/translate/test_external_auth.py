"""Which service is asked, and what becomes of it."""

import pytest

from remora.core.names import NamespacedName
from remora.core.settings import RoutingSettings
from remora.kube.objects import ConfigMap, EndpointPort, KubernetesObject, ObjectMeta, ServicePort
from remora.model import ExternalAuth, Route, Unavailable
from remora.translate import Translation, Translator
from tests.support.kubernetes import endpoint, endpoint_slice, ingress, ingress_class, rule, service
from tests.support.translations import snapshot_of

PREFIX = "nginx.ingress.kubernetes.io"
CONTROLLER = NamespacedName("shop", "controller")
SETTINGS = RoutingSettings(session_key=b"k", configmap=CONTROLLER)


def translation(*more: KubernetesObject, data: dict[str, str] | None = None, **annotations: str) -> Translation:
    found = {f"{PREFIX}/{name.replace('_', '-')}": text for name, text in annotations.items()}
    config_map = ConfigMap(metadata=ObjectMeta(name=CONTROLLER.name, namespace=CONTROLLER.namespace), data=data or {})
    web = ingress("shop/web", rule("web.example", "/", "/.well-known/acme-challenge/x"), annotations=found)
    return Translator(SETTINGS).translate(snapshot_of([ingress_class("nginx"), web, config_map, *more]), None)


def first(made: Translation) -> Route:
    return made.model.virtual_hosts[0].routes[0]


def asked(made: Translation) -> ExternalAuth:
    auth = first(made).external_auth
    assert auth
    return auth


URL = "http://auth.tools.svc:4180/check"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://l.example/s", "https://l.example/s?rd=$B"),
        ("https://l.example/s?a=b", "https://l.example/s?a=b&rd=$B"),
        ("https://l.example/s?rd=$escaped_request_uri", None),
        ("https://l.example/s?x=rd", "https://l.example/s?x=rd&rd=$B"),
        ("https://l.example/s?", "https://l.example/s?rd=$B"),
    ],
)
def test_the_way_back_is_appended_once(url: str, wanted: str | None) -> None:
    template = asked(translation(auth_url=URL, auth_signin=url)).sign_in
    back = ("told_scheme", "://", "http_host", "", "escaped_request_uri", "")
    if wanted is None:
        assert template == ("https://l.example/s?rd=", "escaped_request_uri", "")
    else:
        assert template == (wanted.removesuffix("$B"), *back)


def test_the_name_of_a_headless_service_leads_to_the_pods_own_port() -> None:
    headless = service("tools/auth", ServicePort(port=80, target_port=4180, name="http"), cluster_ip="None")
    slices = endpoint_slice("tools/auth-1", "auth", endpoint("10.0.0.7", "a"), ports=(EndpointPort("http", 4180),))
    made = translation(headless, slices, auth_url=URL)
    [backend] = [one for one in made.model.backends if one.name == asked(made).backend]
    assert [(one.address, one.port) for one in backend.endpoints] == [("10.0.0.7", 4180)]


def test_a_name_elsewhere_is_looked_up() -> None:
    assert translation(auth_url="https://login.example.net/").lookups == {"login.example.net"}


def test_an_answer_is_not_needed_for_challenges_of_certificate_issuers() -> None:
    made = translation(auth_url=URL)
    assert [route.external_auth is None for route in made.model.virtual_hosts[0].routes] == [False, True]


def test_a_broken_url_for_all_closes_those_whom_it_concerns() -> None:
    broken = {"global-auth-url": "nonsense"}
    assert isinstance(first(translation(data=broken)).action, Unavailable)
    assert not isinstance(first(translation(data=broken, enable_global_auth="false")).action, Unavailable)
    assert asked(translation(data=broken, auth_url=URL)).host == "auth.tools.svc"


def test_what_counts_for_all_is_not_mixed_with_an_ingress_s_own() -> None:
    data = {"global-auth-url": "http://all.tools.svc/", "global-auth-method": "POST", "global-auth-response-headers": "X-All"}
    own = asked(translation(data=data, auth_url=URL))
    assert (own.method, own.response_headers) == ("GET", ())
    every = asked(translation(data=data, auth_method="PUT"))
    assert (every.host, every.method, every.response_headers) == ("all.tools.svc", "POST", ("x-all",))
