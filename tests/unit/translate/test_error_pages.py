"""Default backends follow the endpoints, and hosts are translated anew only when it matters."""

from remora.core.names import NamespacedName
from remora.core.settings import RoutingSettings
from remora.kube.objects import EndpointSlice, Service
from remora.model import ForwardTo, NotFound, Route
from remora.translate import Translation, Translator
from remora.watch.snapshot import Change, Snapshot
from tests.support.kubernetes import endpoint, endpoint_slice, ingress, ingress_class, rule, service
from tests.support.translations import snapshot_of

SETTINGS = RoutingSettings(session_key=b"0123456789abcdef")
OWN = {"default-backend": "errors", "custom-http-errors": "503"}
SLICE = Change(EndpointSlice, NamespacedName("shop", "web-1"))


def snapshot(*pods: str, errors: str = "up", annotations: dict[str, str] = OWN) -> Snapshot:
    """`errors` is "up", "idle" (without a pod) or "" (no such Service)."""
    slices = [endpoint_slice("shop/web-1", "web", *(endpoint(f"10.0.0.{number}", pod) for number, pod in enumerate(pods, 1)))]
    services = [service("shop/web")]
    if errors:
        services.append(service("shop/errors"))
        slices.append(endpoint_slice("shop/errors-1", "errors", *([endpoint("10.0.1.1", "e")] if errors == "up" else [])))
    return snapshot_of(
        [ingress_class("nginx"), *services, *slices, ingress("shop/a", rule("a.example", "/"), annotations=annotations)]
    )


def only_route(translation: Translation) -> Route:
    return translation.model.virtual_hosts[0].routes[0]


def test_the_last_pod_that_goes_sends_requests_to_the_default_backend_and_the_first_that_comes_back() -> None:
    translator = Translator(SETTINGS)
    first = translator.translate(snapshot("a", "b"), None)
    fewer = translator.translate(snapshot("a"), [SLICE])
    assert only_route(fewer) is only_route(first)
    none = translator.translate(snapshot(), [SLICE])
    action = only_route(none).action
    assert isinstance(action, ForwardTo)
    assert (action.backend, action.stand_in and action.stand_in.at_root) == ("shop-errors-80", False)
    again = translator.translate(snapshot("c"), [SLICE])
    assert only_route(again) == only_route(first)


def test_a_default_backend_without_pods_is_none() -> None:
    for errors in ("idle", ""):
        assert isinstance(only_route(Translator(SETTINGS).translate(snapshot(errors=errors), None)).action, NotFound)
        plain = Translator(SETTINGS).translate(snapshot(errors=errors, annotations={"default-backend": "errors"}), None)
        assert only_route(plain).action == ForwardTo(only_route(plain).action.backend)  # type: ignore[union-attr]
        codes = [problem.code for problem in plain.problems]
        assert ("DefaultBackendMissing" in codes) is (errors == "")


def test_a_service_that_appears_is_noticed() -> None:
    translator = Translator(SETTINGS)
    assert translator.translate(snapshot(errors=""), None).problems
    changes = [Change(Service, NamespacedName("shop", "errors")), Change(EndpointSlice, NamespacedName("shop", "errors-1"))]
    later = translator.translate(snapshot(), changes)
    action = only_route(later).action
    assert isinstance(action, ForwardTo)
    assert action.backend == "shop-errors-80"
    assert not any(problem.code == "DefaultBackendMissing" for problem in later.problems)
