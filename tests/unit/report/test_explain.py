"""The way of a request in words."""

import pytest

from remora.core.settings import RoutingSettings
from remora.kube.objects import Ingress
from remora.report.explain import Explanation, Request, explain, route_rows
from remora.translate import Translator
from remora.watch.snapshot import Snapshot
from tests.support.kubernetes import endpoint, endpoint_slice, ingress, ingress_class, rule, service
from tests.support.translations import snapshot_of

SETTINGS = RoutingSettings(session_key=b"0123456789abcdef")
STICKY = {"affinity": "cookie", "affinity-mode": "persistent", "session-cookie-name": "route"}


def cluster(*ingresses: Ingress) -> Snapshot:
    slices = endpoint_slice("shop/web-1", "web", endpoint("10.0.0.1", "a"), endpoint("10.0.0.2", "b"))
    alone = endpoint_slice("shop/one-1", "one", endpoint("10.0.0.3", "c"))
    classes = [ingress_class("nginx"), ingress_class("alb", "ingress.k8s.aws/alb")]
    return snapshot_of([*classes, service("shop/web"), service("shop/one"), slices, alone, *ingresses])


def explained(
    *ingresses: Ingress, host: str = "a.example", path: str = "/", has_key: bool = True, scheme: str = "http", cookies: str = ""
) -> Explanation:
    snapshot = cluster(*ingresses)
    request = Request(scheme, host, path, cookies=cookies)
    return explain(snapshot, Translator(SETTINGS).translate(snapshot, None), request, has_key=has_key)


def reasons(found: Explanation) -> list[tuple[str, str, str]]:
    return [(one.ingress, one.match, one.why) for one in found.losers]


def test_a_backend_with_one_pod_is_answered_by_it() -> None:
    found = explained(ingress("shop/a", rule("a.example", "/x", service="one")), path="/x/../x//y")
    assert (found.answer, found.path, found.backend) == ("pod c at 10.0.0.3:8080", "/x/y", "shop-one-80 (one pod)")
    assert found.route
    assert (found.route.match, found.route.ingress) == ("Prefix /x", "shop/a")


def test_a_session_names_its_pod_and_without_the_key_nobody_knows_which() -> None:
    sticky = ingress("shop/a", rule("a.example", "/"), annotations=STICKY)
    keys = {pod.name: pod.key for pod in explained(sticky).pods}
    cookies = f"x=y; route={keys['b']}|backend"
    assert explained(sticky, cookies=cookies).answer == "pod b at 10.0.0.2:8080"
    unknown = explained(sticky, cookies=cookies, has_key=False)
    assert unknown.answer == "one of 2 pods"
    assert unknown.session == "persistent: unknown here without the session key"
    assert {pod.key for pod in unknown.pods} == {""}


def test_the_others_are_told_why_they_lost() -> None:
    found = explained(
        ingress(
            "shop/a", rule("a.example", "/", "/x"), rule("a.example", "/x", path_type="Exact"), created="2026-01-01T00:00:00Z"
        ),
        ingress("shop/b", rule("a.example", "/x"), created="2026-01-02T00:00:00Z"),
        ingress("shop/c", rule("*.example", "/")),
        ingress("shop/d", rule("a.example", "/"), class_name="alb"),
        ingress("shop/e", rule("a.example", "/"), class_name=None),
        ingress("shop/f", rule("a.example", "/"), class_name="gone"),
        path="/x",
    )
    assert reasons(found) == [
        ("shop/a", "Prefix /", "Exact /x is exact and goes before prefixes"),
        ("shop/a", "Prefix /x", "Exact /x is exact and goes before prefixes"),
        ("shop/c", "Prefix /", "a.example has rules of its own, so no wider host is tried"),
        ("shop/b", "Prefix /x", "a.example, path /x is taken by Ingress shop/a, which counts as older"),
        ("shop/d", "", "the Ingress is not served: its class alb is not ours"),
        ("shop/e", "", "the Ingress is not served: it names no class, and --watch-ingress-without-class is not given"),
        ("shop/f", "", "the Ingress is not served: there is no IngressClass gone"),
    ]


def test_of_patterns_the_longer_ones_are_tried_first() -> None:
    found = explained(ingress("shop/a", rule("a.example", "/x.*", "/x", "/y"), annotations={"use-regex": "true"}), path="/xyz")
    assert found.route
    assert found.route.match == "Regex /x.*"
    assert sorted(reasons(found)) == [
        ("shop/a", "Regex /x", "Regex /x.* is tried before it: longer patterns first"),
        ("shop/a", "Regex /y", "the path does not match"),
    ]


@pytest.mark.parametrize(
    ("host", "path", "answer"),
    [
        ("b.example", "/", "404"),
        ("a.example", "/%zz", "400"),
        ("a.example", "/closed", "503"),
        ("a.example", "/old", "301 to https://new.example"),
        ("b.example", "/healthz", "200"),
    ],
)
def test_what_no_pod_answers_is_said_with_its_status(host: str, path: str, answer: str) -> None:
    found = explained(
        ingress("shop/a", rule("a.example", "/closed"), annotations={"auth-type": "basic", "auth-secret": "none"}),
        ingress("shop/b", rule("a.example", "/old"), annotations={"permanent-redirect": "https://new.example"}),
        host=host,
        path=path,
    )
    assert found.answer.startswith(answer)


def test_a_refused_request_has_no_route_and_nothing_is_said_of_its_host() -> None:
    broken = explained(ingress("shop/a", rule("a.example", "/")), path="/%zz")
    assert (broken.host, broken.route) == ("a.example", None)
    snapshot = cluster(ingress("shop/a", rule("a.example", "/")))
    tunnel = Request("http", "a.example", "/", method="CONNECT")
    found = explain(snapshot, Translator(SETTINGS).translate(snapshot, None), tunnel, has_key=True)
    assert (found.answer, found.route) == ("405: CONNECT is answered so on every path", None)


def test_the_table_has_every_route_in_the_order_of_trial() -> None:
    snapshot = cluster(
        ingress("shop/a", rule("a.example", "/", "/x"), rule("a.example", "/x", path_type="Exact"), annotations=STICKY),
        ingress("shop/b", rule("", "/", service="gone")),
    )
    model = Translator(SETTINGS).translate(snapshot, None).model
    rows = [(row.host, row.match, row.target, row.pods, row.session) for row in route_rows(model)]
    assert rows == [
        ("*", "Prefix /", "shop-gone-80", 0, ""),
        ("a.example", "Exact /x", "shop-web-80", 2, "route, persistent"),
        ("a.example", "Prefix /x", "shop-web-80", 2, "route, persistent"),
        ("a.example", "Prefix /", "shop-web-80", 2, "route, persistent"),
    ]
    assert [row.host for row in route_rows(model, "*")] == ["*"]


def test_a_default_backend_that_stands_in_is_told() -> None:
    pages = {"default-backend": "one", "custom-http-errors": "404,503"}
    found = explained(ingress("shop/a", rule("a.example", "/", service="web"), annotations=pages))
    assert found.answer == "one of 2 pods"
    assert any(line.startswith("error pages: ") for line in found.policies)
    found = explained(ingress("shop/a", rule("a.example", "/", service="gone"), annotations=pages))
    assert (found.answer, found.backend) == ("pod c at 10.0.0.3:8080", "shop-one-80 (one pod)")
    assert any(line.startswith("stand in: ") for line in found.policies)
    plain = {"custom-http-errors": "503"}
    found = explained(ingress("shop/a", rule("a.example", "/", service="gone"), annotations=plain))
    assert found.answer.startswith("a plain 404: ")


@pytest.mark.parametrize(("size", "length", "is_refused"), [("10", "11", True), ("10", "10", False), ("0", "99999999", False)])
def test_a_body_that_is_too_large_is_told(size: str, length: str, is_refused: bool) -> None:
    snapshot = cluster(ingress("shop/a", rule("a.example", "/", service="one"), annotations={"proxy-body-size": size}))
    request = Request("http", "a.example", headers={"content-length": length})
    found = explain(snapshot, Translator(SETTINGS).translate(snapshot, None), request, has_key=True)
    assert found.answer.startswith("413") == is_refused


def test_the_default_limit_of_bodies_holds_where_no_route_is() -> None:
    snapshot = cluster()
    request = Request("http", "nobody.example", headers={"content-length": "1048577"})
    found = explain(snapshot, Translator(SETTINGS).translate(snapshot, None), request, has_key=True)
    assert found.answer == "413: a body of 1048577 bytes, and proxy-body-size is 1048576"


def test_clients_without_a_certificate_are_explained() -> None:
    guarded = ingress("shop/web", rule("a.example", "/"), annotations={"auth-tls-secret": "shop/clients"})
    said = explained(guarded, scheme="https")
    assert said.answer.startswith("403: clients cannot be asked for a certificate")
    assert any("client tls: check refused" in one for one in said.policies)
